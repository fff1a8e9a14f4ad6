package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/heron-nomad/heron/internal/uploader"
)

// resumable is the upload of one object.
func (s *Uploader) resumable(key string) *resumable {
	return &resumable{
		client: s.client, set: s.set, common: s.common, key: key,
		checksums: s.client.Options().RequestChecksumCalculation != aws.RequestChecksumCalculationWhenRequired,
	}
}

// creation is the request that begins an upload of a content.
func (r *resumable) creation(digest string) *s3.CreateMultipartUploadInput {
	in := &s3.CreateMultipartUploadInput{
		Bucket: &r.set.Bucket, Key: &r.key,
		ContentType:          aws.String(packageType),
		Metadata:             map[string]string{digestMetadata: digest},
		StorageClass:         types.StorageClass(r.set.StorageClass),
		ServerSideEncryption: types.ServerSideEncryption(r.set.Encryption),
	}
	if r.checksums {
		in.ChecksumAlgorithm = types.ChecksumAlgorithmCrc32
	}
	if r.set.KMSKey != "" {
		in.SSEKMSKeyId = &r.set.KMSKey
	}
	return in
}

// rehearse begins an upload, sends one byte as its part and aborts it: all the
// requests of an upload but the one that would make it visible.
func (r *resumable) rehearse(ctx context.Context) error {
	text := []byte("x")
	digest := sha256.Sum256(text)
	src := uploader.Source{Name: checkObject, Size: int64(len(text)), SHA256: hex.EncodeToString(digest[:])}
	content := memory{bytes.NewReader(text)}
	if err := r.begin(ctx, src, content); err != nil {
		return err
	}
	p := part{number: 1, content: content, size: src.Size}
	err := newVerifier(content, src).next(ctx, &p, r.checksums)
	if err == nil {
		_, err = r.send(ctx, &p)
	}
	return err
}

// memory is a small content.
type memory struct{ *bytes.Reader }

func (memory) Close() error { return nil }
