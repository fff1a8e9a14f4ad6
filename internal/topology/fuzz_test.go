package topology

import (
	"bytes"
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"
)

// FuzzDefinition reads definitions of any bytes, which an API server gets from
// anybody. What passes the checks can be asked for all that a deployment needs,
// and reads the same again when it was written.
func FuzzDefinition(f *testing.F) {
	for _, pairs := range [][]string{
		{}, {KeyStmgrs, "3"}, {KeyComponentRAMMap, "word:1073741824,count:2"}, {KeyComponentCPUMap, "word:0x1p3"},
		{KeyReliabilityMode, "EFFECTIVELY_ONCE", KeyCkptmgrRAM, "1"}, {KeyStmgrs, " 2147483648"},
	} {
		data, err := with(pairs...).Bytes()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Decode(data)
		if err != nil {
			return
		}
		err = Validate(d, Rules{Nomad: true, Cluster: "nomad", ServiceNames: true})
		var bad *InvalidError
		if err != nil && !errors.As(err, &bad) {
			t.Errorf("%v is not an *InvalidError", err)
		}
		valid := err == nil
		sameAgain(t, d)
		sameAgain(t, d.Trimmed())
		sameAgain(t, d.WithStmgrs(2).WithID("x"))
		for what, err := range deployed(d) {
			if valid && err != nil {
				t.Errorf("it is valid, but its %s: %v", what, err)
			}
		}
	})
}

// sameAgain writes a definition and reads it.
func sameAgain(t *testing.T, d *Definition) {
	t.Helper()
	data, err := d.Bytes()
	if err != nil {
		t.Errorf("it was read and cannot be written: %v", err)
		return
	}
	again, err := Decode(data)
	if err != nil {
		t.Errorf("it cannot be read again: %v", err)
		return
	}
	if !proto.Equal(d.pb, again.pb) {
		t.Error("it is another one when it is read again")
	}
	if bytesAgain, err := again.Bytes(); err != nil || !bytes.Equal(data, bytesAgain) {
		t.Errorf("it is written in another way when it is read again (%v)", err)
	}
}

// deployed asks a definition for what a deployment needs.
func deployed(d *Definition) map[string]error {
	errs := map[string]error{}
	_, errs["components"] = d.Components()
	_, errs["number of containers"] = d.Stmgrs()
	_, errs["reliability"] = d.Reliability()
	_, errs["memory of the checkpoint manager"] = d.CheckpointRAM()
	_, errs["RAM map"] = d.ResourceMap(KeyComponentRAMMap)
	_, errs["disk map"] = d.ResourceMap(KeyComponentDiskMap)
	_, errs["CPU map"] = d.CPUMap()
	_, errs["digest"] = d.TrimmedDigest()
	_ = EncodeOptions(d.WorkerOptions()) + d.ComponentOptions() + d.Classpath("x.tar.gz") + d.Filename()
	return errs
}
