package s3

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/heron-nomad/heron/internal/uploader"
)

// begin makes an upload, and takes one that is there in its place.
//
// Whether one is as it would be begun now cannot be told from the settings: the
// server adds defaults of its own, and says nothing of encryption in its lists.
// So the new upload is what others are compared with.
func (r *resumable) begin(ctx context.Context, src uploader.Source, content uploader.Content) error {
	bounded, cancel := control(ctx)
	defer cancel()
	begun, err := r.client.CreateMultipartUpload(bounded, r.creation(src.SHA256))
	if err != nil {
		return err
	}
	r.id = aws.ToString(begun.UploadId)
	if !r.adopt {
		return nil
	}
	id, err := r.find(ctx, begun, content, src.Size)
	if err != nil || id == "" {
		return err
	}
	// Should that fail, it goes with the others when the object is there.
	_ = r.abort(ctx)
	r.id, r.adopted = id, true
	return nil
}

// find is the newest upload of the key that was begun like this one, and whose
// parts are of our size; "" where there is none. Without the right to look
// there is none.
func (r *resumable) find(ctx context.Context, begun *s3.CreateMultipartUploadOutput, content uploader.Content, size int64) (id string, err error) {
	uploads, err := uploadsOf(ctx, r.client, r.set.Bucket, r.key, true)
	if err != nil {
		return "", nil //nolint:nilerr // then all is sent
	}
	own := slices.IndexFunc(uploads, func(u types.MultipartUpload) bool { return aws.ToString(u.UploadId) == r.id })
	if own < 0 {
		return "", nil
	}
	like := uploads[own]
	uploads = slices.DeleteFunc(uploads, func(u types.MultipartUpload) bool {
		return aws.ToString(u.UploadId) == r.id ||
			u.StorageClass != like.StorageClass || u.ChecksumAlgorithm != like.ChecksumAlgorithm || u.ChecksumType != like.ChecksumType
	})
	slices.SortStableFunc(uploads, func(a, b types.MultipartUpload) int {
		return aws.ToTime(b.Initiated).Compare(aws.ToTime(a.Initiated))
	})
	for _, u := range uploads {
		parts, ok := r.partsOf(ctx, aws.ToString(u.UploadId))
		if !ok {
			continue
		}
		ok, err := r.encryptsAlike(ctx, *u.UploadId, parts, begun, content, size)
		if err != nil {
			return "", err
		}
		if ok {
			r.parts = parts
			return *u.UploadId, nil
		}
	}
	return "", nil
}

// partsOf are the parts of an upload; ok is false where they are not of our
// size, or cannot be told.
func (r *resumable) partsOf(ctx context.Context, id string) (parts map[int32]types.Part, ok bool) {
	parts = map[int32]types.Part{}
	last := int32(0)
	pages := s3.NewListPartsPaginator(r.client, &s3.ListPartsInput{Bucket: &r.set.Bucket, Key: &r.key, UploadId: &id})
	for pages.HasMorePages() {
		bounded, cancel := control(ctx)
		page, err := pages.NextPage(bounded)
		cancel()
		if err != nil {
			return nil, false
		}
		uploader.Working(ctx)
		for _, p := range page.Parts {
			parts[aws.ToInt32(p.PartNumber)] = p
			last = max(last, aws.ToInt32(p.PartNumber))
		}
	}
	for n, p := range parts {
		if size := aws.ToInt64(p.Size); size != r.partSize && (n != last || size > r.partSize) {
			return nil, false
		}
	}
	return parts, len(parts) > 0
}

// encryptsAlike sends the first part that an upload lacks, for only the answer
// to a part says how the upload is encrypted; and adds it to the parts. Where
// none is missing it is the last one.
func (r *resumable) encryptsAlike(
	ctx context.Context, id string, parts map[int32]types.Part, begun *s3.CreateMultipartUploadOutput, content uploader.Content, size int64,
) (bool, error) {
	p := r.firstMissing(parts, size)
	p.content = content
	if err := newVerifier(content, uploader.Source{Size: size}).at(p.off).next(ctx, p, r.checksums); err != nil {
		return false, err
	}
	other := *r
	other.id = id
	out, err := other.put(ctx, p)
	var bad *sourceError
	switch {
	case errors.As(err, &bad):
		return false, err
	case statusOf(err) >= 400 && statusOf(err) < 500 && statusOf(err) != http.StatusRequestTimeout && statusOf(err) != http.StatusTooManyRequests:
		// It is gone, or takes nothing from us.
		return false, nil
	case err != nil:
		return false, err
	}
	if out.ServerSideEncryption != begun.ServerSideEncryption || aws.ToString(out.SSEKMSKeyId) != aws.ToString(begun.SSEKMSKeyId) ||
		aws.ToBool(out.BucketKeyEnabled) != aws.ToBool(begun.BucketKeyEnabled) {
		return false, nil
	}
	if r.set.Encryption != "" && string(out.ServerSideEncryption) != r.set.Encryption {
		// The server does not tell.
		return false, nil
	}
	parts[p.number] = types.Part{PartNumber: &p.number, Size: &p.size, ETag: out.ETag, ChecksumCRC32: &p.checksum}
	return true, nil
}

// firstMissing is the first part of a content of this size that is not among
// the parts, the last one where all are.
func (r *resumable) firstMissing(parts map[int32]types.Part, size int64) *part {
	count := int32((size + r.partSize - 1) / r.partSize) //nolint:gosec // at most 10,000
	p := &part{}
	for n := int32(1); n <= count; n++ {
		p.number, p.off = n, int64(n-1)*r.partSize
		p.size = min(r.partSize, size-p.off)
		if there, ok := parts[n]; !ok || aws.ToInt64(there.Size) != p.size {
			break
		}
	}
	return p
}
