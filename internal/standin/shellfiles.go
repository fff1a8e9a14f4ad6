package standin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// shellFiles answers heron-shell's requests for files of the working
// directory: a status line's code, and a body.
func shellFiles(u *url.URL) (code int, body string) {
	action, path, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	if strings.HasPrefix(path, "/") || strings.Contains(path, "..") {
		return http.StatusForbidden, "Only relative paths are allowed"
	}
	switch action {
	case "filestats":
		if path == "" {
			path = "."
		}
		return fileStats(path)
	case "filedata":
		return fileData(path, u.Query())
	}
	return http.StatusNotFound, "404: Not Found"
}

// fileStats lists a folder with lines such as those of "ls -l". The real one
// fails where there is no such folder.
func fileStats(path string) (int, string) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return http.StatusInternalServerError, "500: Internal Server Error"
	}
	type stats struct {
		Stat  string `json:"formatted_stat"`
		IsDir bool   `json:"is_dir"`
		Path  string `json:"path"`
	}
	list := map[string]stats{}
	for _, e := range entries {
		info, err := os.Stat(filepath.Join(path, e.Name())) // links are followed
		if err != nil {
			continue
		}
		at := info.ModTime().Format("15:04")
		if info.ModTime().Year() != time.Now().Year() {
			at = strconv.Itoa(info.ModTime().Year())
		}
		line := fmt.Sprintf("%s %3d %10s %10s %10d %s %2d %5s", strings.ToLower(info.Mode().String()), 1, "ann", "domain users", info.Size(),
			info.ModTime().Format("Jan"), info.ModTime().Day(), at)
		list[e.Name()] = stats{line, info.IsDir(), url.QueryEscape(filepath.Join(path, e.Name()))}
	}
	if path != "." {
		list[".."] = stats{"drwxr-xr-x   2        ann        ann       4096 Jan  1 00:00", true, url.QueryEscape(filepath.Dir(path))}
	}
	return http.StatusOK, document(list)
}

// fileData is a slice of a file: cut by bytes, but answered as text that was
// decoded, with replacements, and escaped for XML. Its length counts that. Of what
// is no file it says nothing, with success.
func fileData(path string, query url.Values) (int, string) {
	number := func(name string) int64 {
		n, err := strconv.ParseInt(query.Get(name), 10, 64)
		if err != nil {
			return -1
		}
		return n
	}
	offset, length := number("offset"), number("length")
	f, err := os.Open(path)
	if err != nil {
		return http.StatusOK, ""
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil || info.IsDir() {
		return http.StatusOK, ""
	}
	if offset < 0 {
		offset = info.Size()
	}
	if length < 0 {
		length = info.Size() - offset
	}
	data := make([]byte, max(0, min(length, info.Size()-offset)))
	n, _ := f.ReadAt(data, offset)
	if n == 0 {
		return http.StatusOK, document(map[string]any{"offset": offset, "length": 0})
	}
	text := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(decoded(data[:n]))
	return http.StatusOK, document(map[string]any{"offset": offset, "length": utf8.RuneCountInString(text), "data": text})
}

// decoded decodes as Python does with "replace": each longest start of a
// character that does not go on becomes one U+FFFD.
func decoded(data []byte) string {
	var b strings.Builder
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		if r == utf8.RuneError && n == 1 {
			// A start that could go on is one, however long it is.
			for n < min(len(data), utf8.UTFMax) && !utf8.FullRune(data[:n]) {
				n++
			}
			if utf8.FullRune(data[:n]) && n > 1 {
				n--
			}
		}
		b.WriteRune(r)
		data = data[n:]
	}
	return b.String()
}

func document(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return "{}"
	}
	return string(text)
}
