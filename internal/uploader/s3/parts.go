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
	"github.com/aws/smithy-go/middleware"
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
		if verdict = check.next(ctx, &p, r.checksums); verdict != nil {
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
	// checksum is the CRC-32 as S3 writes it. Where it is not to be sent,
	// payload is the SHA-256 in hex, which is then signed.
	checksum, payload string
	failed            atomic.Pointer[sourceError]
}

// send sends a part unless the server has it.
func (r *resumable) send(ctx context.Context, p *part) (types.CompletedPart, error) {
	done := types.CompletedPart{PartNumber: &p.number}
	if there, ok := r.parts[p.number]; ok && aws.ToInt64(there.Size) == p.size {
		same, err := p.is(there)
		if err != nil {
			return done, err
		}
		if same {
			uploader.Skip(p.content, p.off, p.size)
			done.ETag = there.ETag
			if r.checksums {
				done.ChecksumCRC32 = there.ChecksumCRC32
			}
			return done, nil
		}
	}
	out, err := r.put(ctx, p)
	if err != nil {
		return done, err
	}
	done.ETag = out.ETag
	if r.checksums {
		done.ChecksumCRC32 = out.ChecksumCRC32
	}
	return done, nil
}

// put sends a part. The checksum goes before the part, so that servers without
// trailers accept it.
func (r *resumable) put(ctx context.Context, p *part) (*s3.UploadPartOutput, error) {
	in := &s3.UploadPartInput{
		Bucket: &r.set.Bucket, Key: &r.key, UploadId: &r.id, PartNumber: &p.number,
		Body: io.NewSectionReader(p, p.off, p.size), ContentLength: &p.size,
	}
	// The checksum is signed. Without TLS the payload would be too, which costs
	// both sides another digest; nodes check that of the package.
	integrity := v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware
	if r.checksums {
		in.ChecksumCRC32 = &p.checksum
	} else {
		integrity = p.signPayload
	}
	out, err := r.client.UploadPart(ctx, in, func(o *s3.Options) {
		o.Retryer = retryer(partAttempts, partBackoff)
		o.APIOptions = append(o.APIOptions, integrity)
	})
	if bad := p.failed.Load(); bad != nil {
		return nil, bad
	}
	return out, err
}

// signPayload has the signature cover the part by its digest, which is known
// already: the SDK would read the part for it as if it were sent.
func (p *part) signPayload(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("payloadDigest",
		func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			return next.HandleInitialize(v4.SetPayloadHash(ctx, p.payload), in)
		}), middleware.After)
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
	from   uploader.Content
	r      io.Reader
	read   int64
	digest hash.Hash
	buffer []byte
}

func newVerifier(c uploader.Content, src uploader.Source) *verifier {
	v := &verifier{src: src, from: uploader.Unwatched(c), digest: sha256.New(), buffer: make([]byte, uploader.CopyBuffer)}
	return v.at(0)
}

// at begins to read somewhere else.
func (v *verifier) at(off int64) *verifier {
	v.r = io.NewSectionReader(v.from, off, v.src.Size+1-off)
	return v
}

// next reads the next part and fills in its checksum, or its digest where S3's
// checksums are not sent.
func (v *verifier) next(ctx context.Context, p *part, checksums bool) error {
	sum, payload := crc32.NewIEEE(), io.Discard
	digest := sha256.New()
	if !checksums {
		payload = digest
	}
	for left := p.size; left > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := io.ReadFull(v.r, v.buffer[:min(left, int64(len(v.buffer)))])
		left, v.read = left-int64(n), v.read+int64(n)
		_, _ = v.digest.Write(v.buffer[:n])
		_, _ = sum.Write(v.buffer[:n])
		_, _ = payload.Write(v.buffer[:n])
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return &sourceError{v.src.Short(v.read)}
		case err != nil:
			return &sourceError{fmt.Errorf("read the package: %w", err)}
		}
	}
	p.checksum = base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum.Sum32()))
	if !checksums {
		p.payload = hex.EncodeToString(digest.Sum(nil))
	}
	return nil
}

// end says whether what was read is the announced content, whole.
func (v *verifier) end() error {
	if err := v.src.Verify(v.r, uploader.Hex(v.digest)); err != nil {
		return &sourceError{err}
	}
	return nil
}
