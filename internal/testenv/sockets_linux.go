package testenv

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"strings"
)

// HasConnection says whether a process has the connection whose own end is at
// an IPv4 address.
func HasConnection(pid int, local *net.TCPAddr) (bool, error) {
	inode, err := socketAt(local)
	if err != nil || inode == "" {
		return false, err
	}
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	files, err := os.ReadDir(dir)
	if err != nil {
		return false, fmt.Errorf("look for a connection of process %d: %w", pid, err)
	}
	for _, f := range files {
		// A file that was closed meanwhile is not the connection.
		if to, err := os.Readlink(dir + "/" + f.Name()); err == nil && to == "socket:["+inode+"]" {
			return true, nil
		}
	}
	return false, nil
}

// socketAt is the inode of the socket at a local address, "" if there is none.
func socketAt(local *net.TCPAddr) (string, error) {
	ip := local.IP.To4()
	if ip == nil {
		return "", fmt.Errorf("%s is not an IPv4 address", local)
	}
	// The kernel writes an address as a number in its own byte order.
	want := fmt.Sprintf("%08X:%04X", binary.NativeEndian.Uint32(ip), local.Port)
	table, err := os.Open("/proc/net/tcp")
	if err != nil {
		return "", err
	}
	defer table.Close()
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		const address, inode = 1, 9
		if fields := strings.Fields(lines.Text()); len(fields) > inode && fields[address] == want {
			return fields[inode], nil
		}
	}
	return "", lines.Err()
}
