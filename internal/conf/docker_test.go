package conf

import (
	"slices"
	"strings"
	"testing"
)

func TestDockerVolumes(t *testing.T) {
	line := `heron.nomad.docker.volumes: ["/srv/packages:/srv/packages:ro", "data:/data"]`
	s, err := resolved(t, with(map[string]string{"override.yaml": line})).Settings()
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"/srv/packages:/srv/packages:ro", "data:/data"}; !slices.Equal(s.Nomad.DockerVolumes, want) {
		t.Errorf("got %q, want %q", s.Nomad.DockerVolumes, want)
	}
	for _, wrong := range []string{"/srv", ":/srv", "/srv:srv", "/a:/b:ro:z"} {
		_, err := resolved(t, with(map[string]string{"override.yaml": "heron.nomad.docker.volumes: [\"" + wrong + "\"]\n"})).Settings()
		if err == nil || !strings.Contains(err.Error(), wrong+" is not a volume") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}
