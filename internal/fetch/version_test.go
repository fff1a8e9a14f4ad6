package fetch

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// versions is a server whose file changes in the middle of a transfer, while
// everything by which it names a version stays: the headers of both answers.
// It joins a range to whatever it is asked to, as a server does that trusts
// them.
func versions(t *testing.T, old, now []byte, first, second http.Header) (url string, ranges *[]string) {
	t.Helper()
	ranges = new([]string)
	url, _ = answering(t, func(w http.ResponseWriter, r *http.Request) {
		*ranges = append(*ranges, r.Header.Get("Range"))
		headers, data, from := first, old, 0
		if len(*ranges) > 1 {
			headers, data = second, now
			_, _ = fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
		}
		for name, values := range headers {
			w.Header()[name] = values
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(data)-from))
		if from > 0 {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(data)-1, len(data)))
			w.WriteHeader(http.StatusPartialContent)
		}
		if len(*ranges) == 1 {
			_, _ = w.Write(data[:1<<20])
			return
		}
		_, _ = w.Write(data[from:])
	})
	return url, ranges
}

func headers(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

// A transfer is continued only with what RFC 9110, section 13.1.5, lets name a
// version; else two versions of a file could become one.
func TestFetchJoinsNoTwoVersions(t *testing.T) {
	old, now := noise(3<<20), noise(4 << 20)[1<<20:]
	at := func(d time.Duration) string {
		return time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC).Add(d).Format(http.TimeFormat)
	}
	for name, c := range map[string]http.Header{
		"changed in the same second": headers("Last-Modified", at(0), "Date", at(0)),
		"changed a moment before":    headers("Last-Modified", at(0), "Date", at(59*time.Second)),
		"changed in the future":      headers("Last-Modified", at(time.Hour), "Date", at(0)),
		"no valid date":              headers("Last-Modified", at(0), "Date", "yesterday"),
		"no valid time of change":    headers("Last-Modified", "a while ago", "Date", at(time.Hour)),
		"a weak tag":                 headers("ETag", `W/"1"`, "Last-Modified", at(0), "Date", at(time.Hour)),
		"a tag without quotes":       headers("ETag", `1`, "Last-Modified", at(0), "Date", at(time.Hour)),
		"an empty tag":               headers("ETag", ``, "Date", at(time.Hour)),
		"nothing":                    headers("Date", at(time.Hour)),
	} {
		t.Run(name, func(t *testing.T) {
			url, ranges := versions(t, old, now, c, c)
			mustGet(t, url, quick(), now)
			if len(*ranges) != 2 || (*ranges)[1] != "" {
				t.Errorf("asked for %q", *ranges)
			}
		})
	}
	for name, c := range map[string][2]http.Header{
		"another tag":           {headers("ETag", `"1"`), headers("ETag", `"2"`)},
		"a weak tag by now":     {headers("ETag", `"1"`), headers("ETag", `W/"1"`)},
		"another time":          {headers("Last-Modified", at(0), "Date", at(time.Hour)), headers("Last-Modified", at(time.Minute), "Date", at(time.Hour))},
		"a tag instead of time": {headers("Last-Modified", at(0), "Date", at(time.Hour)), headers("ETag", `"1"`, "Last-Modified", at(time.Minute))},
	} {
		t.Run("a part with "+name, func(t *testing.T) {
			url, ranges := versions(t, old, now, c[0], c[1])
			mustGet(t, url, quick(), now)
			if len(*ranges) != 3 || (*ranges)[1] == "" || (*ranges)[2] != "" {
				t.Errorf("asked for %q", *ranges)
			}
		})
	}
	for name, c := range map[string][2]http.Header{
		"a tag":                  {headers("ETag", `"1"`), headers("ETag", `"1"`)},
		"a tag beside a time":    {headers("ETag", `"1"`, "Last-Modified", at(0)), headers("ETag", `"1"`)},
		"a time":                 {headers("Last-Modified", at(0), "Date", at(time.Minute)), headers("Last-Modified", at(0))},
		"a time, told once only": {headers("Last-Modified", at(0), "Date", at(time.Hour)), headers()},
	} {
		t.Run("continued with "+name, func(t *testing.T) {
			url, ranges := versions(t, old, old, c[0], c[1])
			mustGet(t, url, quick(), old)
			if got := strings.Join(*ranges, " "); got != " bytes=1048576-" {
				t.Errorf("asked for %q", *ranges)
			}
		})
	}
}

// What named the version at first still does when a part does not repeat it.
func TestFetchKeepsTheTagOfTheFirstPart(t *testing.T) {
	data := noise(3 << 20)
	var ranges []string
	url, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
		ranges = append(ranges, r.Header.Get("Range")+" "+r.Header.Get("If-Range"))
		from := 0
		_, _ = fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
		w.Header().Set("Content-Length", fmt.Sprint(len(data)-from))
		if from == 0 {
			w.Header().Set("ETag", `"1"`)
		} else {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(data)-1, len(data)))
			w.WriteHeader(http.StatusPartialContent)
		}
		_, _ = w.Write(data[from : from+1<<20])
	})
	mustGet(t, url, quick(), data)
	if want := []string{" ", `bytes=1048576- "1"`, `bytes=2097152- "1"`}; strings.Join(ranges, ";") != strings.Join(want, ";") {
		t.Errorf("asked for %q", ranges)
	}
}
