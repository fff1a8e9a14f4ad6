package s3

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"github.com/heron-nomad/heron/internal/uploader"
)

// abortsAtOnce is how many uploads are aborted at a time.
const abortsAtOnce = 8

// uploadsOf lists the unfinished uploads whose keys begin with prefix, or are
// it where exact is set.
func uploadsOf(ctx context.Context, client *s3.Client, bucket, prefix string, exact bool) ([]types.MultipartUpload, error) {
	var found []types.MultipartUpload
	in := &s3.ListMultipartUploadsInput{Bucket: &bucket, Prefix: &prefix}
	for {
		page, err := uploadsPage(ctx, client, in)
		if err != nil && codeOf(err) == "InvalidArgument" && in.UploadIdMarker != nil {
			// Some servers do not understand their own marker. Without it there
			// may be uploads of one key that are not listed.
			in.UploadIdMarker = nil
			page, err = uploadsPage(ctx, client, in)
		}
		if err != nil {
			return nil, err
		}
		for _, u := range page.Uploads {
			if !exact || aws.ToString(u.Key) == prefix {
				found = append(found, u)
			}
		}
		again := aws.ToString(page.NextKeyMarker) == aws.ToString(in.KeyMarker) &&
			aws.ToString(page.NextUploadIdMarker) == aws.ToString(in.UploadIdMarker)
		if !aws.ToBool(page.IsTruncated) || again {
			return found, nil
		}
		in.KeyMarker, in.UploadIdMarker = page.NextKeyMarker, page.NextUploadIdMarker
	}
}

// uploadsPage is one answer of a list.
func uploadsPage(ctx context.Context, client *s3.Client, in *s3.ListMultipartUploadsInput) (*s3.ListMultipartUploadsOutput, error) {
	uploader.Working(ctx)
	bounded, cancel := control(ctx)
	defer cancel()
	return client.ListMultipartUploads(bounded, in)
}

// abortAll removes all unfinished uploads of a key. They are the first ones
// whose keys begin with it, so it asks for the first ones until there is none.
func abortAll(ctx context.Context, client *s3.Client, bucket, key string) error {
	for before := ""; ; {
		page, err := uploadsPage(ctx, client, &s3.ListMultipartUploadsInput{Bucket: &bucket, Prefix: &key})
		if err != nil {
			return err
		}
		if len(page.Uploads) > 0 {
			first := aws.ToString(page.Uploads[0].UploadId)
			if first == before {
				return fmt.Errorf("upload %s of %s is still there", first, key)
			}
			before = first
		}
		// One that cannot be removed does not keep the others.
		var group errgroup.Group
		group.SetLimit(abortsAtOnce)
		none := true
		for _, u := range page.Uploads {
			if aws.ToString(u.Key) != key {
				continue
			}
			none = false
			group.Go(func() error { return abortUpload(ctx, client, bucket, key, aws.ToString(u.UploadId)) })
		}
		if err := group.Wait(); err != nil || none || !aws.ToBool(page.IsTruncated) {
			return err
		}
	}
}

// abortUpload removes an upload and its parts. A part that was on its way can
// come after an abort, so it looks again.
func abortUpload(ctx context.Context, client *s3.Client, bucket, key, id string) error {
	const times = 3
	for range times {
		bounded, cancel := control(ctx)
		_, err := client.AbortMultipartUpload(bounded, &s3.AbortMultipartUploadInput{Bucket: &bucket, Key: &key, UploadId: &id})
		cancel()
		if err != nil && !isGone(err) {
			return err
		}
		bounded, cancel = control(ctx)
		_, err = client.ListParts(bounded, &s3.ListPartsInput{Bucket: &bucket, Key: &key, UploadId: &id})
		cancel()
		if err != nil {
			// Gone, or we may not look.
			return nil //nolint:nilerr // the abort was answered
		}
	}
	return fmt.Errorf("upload %s of %s is still there", id, key)
}
