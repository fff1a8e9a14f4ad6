package s3

import (
	"context"
	"crypto/md5" //nolint:gosec // the server's ETag is one
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"github.com/heron-nomad/heron/internal/uploader"
)

// sendParts sends what the server does not have, several parts at a time, each
// from the content as it is: the SDK's transfer manager would hold all of them
// in memory, and so bound how large they can be.
func (r *resumable) sendParts(ctx context.Context, content uploader.Content, check *verifier, size int64) ([]types.CompletedPart, error) {
	done := make([]types.CompletedPart, (size+r.partSize-1)/r.partSize)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(r.set.Concurrency)
	var verdict error
	for i := range done {
		p := part{number: int32(i) + 1, content: content, off: int64(i) * r.partSize} //nolint:gosec // at most 10,000
		p.size = min(r.partSize, size-p.off)
		if p.checksum, verdict = check.next(ctx, p.size); verdict != nil {
			break
		}
		group.Go(func() (err error) {
			done[i], err = r.send(ctx, &p)
			return err
		})
	}
	if verdict == nil {
		verdict = check.end()
	}
	var bad *sourceError
	if errors.As(verdict, &bad) {
		// What is under way is of no use any more.
		cancel()
	}
	err := group.Wait()
	if bad != nil {
		return nil, bad
	}
	if err == nil {
		err = verdict
	}
	return done, err
}

// part is a part of a content on its way.
type part struct {
	number    int32
	content   uploader.Content
	off, size int64
	// checksum is the CRC-32 as S3 writes it.
	checksum string
	failed   atomic.Pointer[sourceError]
}

// send sends a part unless the server has it. The checksum goes before the
// part, so that servers without trailers take it.
func (r *resumable) send(ctx context.Context, p *part) (types.CompletedPart, error) {
	done := types.CompletedPart{PartNumber: &p.number}
	if there, ok := r.parts[p.number]; ok && aws.ToInt64(there.Size) == p.size {
		same, err := p.is(there)
		if err != nil {
			return done, err
		}
		if same {
			uploader.Skip(p.content, p.off, p.size)
			done.ETag, done.ChecksumCRC32 = there.ETag, there.ChecksumCRC32
			return done, nil
		}
	}
	out, err := r.client.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: &r.set.Bucket, Key: &r.key, UploadId: &r.id, PartNumber: &p.number,
		Body: io.NewSectionReader(p, p.off, p.size), ContentLength: &p.size, ChecksumCRC32: &p.checksum,
	}, func(o *s3.Options) {
		o.Retryer = retryer(partAttempts, partBackoff)
		// The checksum is signed. Without TLS the payload would be too, which
		// costs both sides another digest; nodes check that of the package.
		o.APIOptions = append(o.APIOptions, v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware)
	})
	if bad := p.failed.Load(); bad != nil {
		return done, bad
	}
	if err != nil {
		return done, err
	}
	done.ETag, done.ChecksumCRC32 = out.ETag, out.ChecksumCRC32
	return done, nil
}

// ReadAt is the content's, and keeps its error.
func (p *part) ReadAt(b []byte, off int64) (int, error) {
	n, err := p.content.ReadAt(b, off)
	if err != nil && !errors.Is(err, io.EOF) {
		p.failed.CompareAndSwap(nil, &sourceError{fmt.Errorf("read the package: %w", err)})
	}
	return n, err
}

// is compares the part with one that the server has, by its checksum or else
// by the MD5 that an ETag is where nothing is encrypted.
func (p *part) is(there types.Part) (bool, error) {
	if there.ChecksumCRC32 != nil {
		return *there.ChecksumCRC32 == p.checksum, nil
	}
	sum := md5.New() //nolint:gosec // the server's ETag is one
	if _, err := io.Copy(sum, io.NewSectionReader(uploader.Unwatched(p.content), p.off, p.size)); err != nil {
		return false, &sourceError{fmt.Errorf("read the package: %w", err)}
	}
	return strings.Trim(aws.ToString(there.ETag), `"`) == hex.EncodeToString(sum.Sum(nil)), nil
}

// verifier reads a content part by part, ahead of those who send it, and tells
// whether it is what its source announced. Nobody takes that for sending.
type verifier struct {
	src    uploader.Source
	r      io.Reader
	read   int64
	digest hash.Hash
	buffer []byte
}

func newVerifier(c uploader.Content, src uploader.Source) *verifier {
	return &verifier{src: src, r: io.NewSectionReader(uploader.Unwatched(c), 0, src.Size+1), digest: sha256.New(), buffer: make([]byte, uploader.CopyBuffer)}
}

// next is the checksum of the next part, of so many bytes.
func (v *verifier) next(ctx context.Context, size int64) (string, error) {
	sum := crc32.NewIEEE()
	for left := size; left > 0; {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		n, err := io.ReadFull(v.r, v.buffer[:min(left, int64(len(v.buffer)))])
		left, v.read = left-int64(n), v.read+int64(n)
		_, _ = v.digest.Write(v.buffer[:n])
		_, _ = sum.Write(v.buffer[:n])
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return "", &sourceError{v.src.Short(v.read)}
		case err != nil:
			return "", &sourceError{fmt.Errorf("read the package: %w", err)}
		}
	}
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum.Sum32())), nil
}

// end says whether what was read is the announced content, whole.
func (v *verifier) end() error {
	if err := v.src.Verify(v.r, uploader.Hex(v.digest)); err != nil {
		return &sourceError{err}
	}
	return nil
}
