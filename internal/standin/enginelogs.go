package standin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// openGlog begins a log as glog does: a new file whose name has the time and
// the process, and a link to it, NAME.INFO.
func openGlog(dir, name string) (*os.File, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "(unknown)"
	}
	who := "invalid-user"
	if u, err := user.Current(); err == nil {
		who = u.Username
	}
	now := time.Now().UTC()
	file := fmt.Sprintf("%s.%s.%s.log.INFO.%s.%d", name, host, who, now.Format("20060102-150405"), os.Getpid())
	f, err := openLog(filepath.Join(dir, file))
	if err != nil {
		return nil, err
	}
	link := filepath.Join(dir, name+".INFO")
	if err := os.Remove(link); err != nil && !os.IsNotExist(err) {
		return nil, errors.Join(err, f.Close())
	}
	if err := os.Symlink(file, link); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// rotatedFiles is how many files of a log the engine keeps by default.
const rotatedFiles = 5

// instanceLog is the log of an instance, NAME.log.0, which rotates as Java's
// do.
type instanceLog struct {
	path  string // without ".log.0"
	limit int64  // of a file's size; 0 for none
	mu    sync.Mutex
}

// write appends whole lines.
func (l *instanceLog) write(text string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	current := l.path + ".log.0"
	info, err := os.Stat(current)
	if err != nil {
		text = Notice + "\n" + text
	} else if l.limit > 0 && info.Size() >= l.limit {
		for i := rotatedFiles - 2; i >= 0; i-- {
			err := os.Rename(l.path+".log."+strconv.Itoa(i), l.path+".log."+strconv.Itoa(i+1))
			if err != nil && !os.IsNotExist(err) {
				return err
			}
		}
	}
	return appendFile(current, text)
}

// count writes numbered lines until ctx ends.
func (l *instanceLog) count(ctx context.Context, every time.Duration) error {
	for i := 1; pause(ctx, every); i++ {
		line := fmt.Sprintf("[%s] [INFO] %s: line %d\n", time.Now().UTC().Format("2006-01-02 15:04:05 +0000"), filepath.Base(l.path), i)
		if err := l.write(line); err != nil {
			return err
		}
	}
	return nil
}

// parseLines reads the value of envLines.
func parseLines(value string) (every time.Duration, limit int64, err error) {
	if value == "" {
		return 0, 0, nil
	}
	pause, size, sized := strings.Cut(value, ",")
	if every, err = time.ParseDuration(pause); err == nil && sized {
		limit, err = strconv.ParseInt(size, 10, 64)
	}
	if err == nil && (every <= 0 || limit < 0) {
		err = errors.New("a pause and a size have to be positive")
	}
	return every, limit, err
}
