package uploadbench

import (
	"context"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// putObject uploads with one plain request of the SDK.
func putObject(ctx context.Context, o order) error {
	settings, err := config.LoadDefaultConfig(ctx, config.WithRegion(o.Settings.S3.Region))
	if err != nil {
		return err
	}
	client := s3.NewFromConfig(settings, func(opts *s3.Options) {
		opts.BaseEndpoint = aws.String(o.Settings.S3.Endpoint)
		opts.UsePathStyle = true
	})
	f, err := os.Open(o.File)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String(o.Settings.S3.Bucket), Key: aws.String("plain/" + o.Name), Body: f,
	})
	return err
}
