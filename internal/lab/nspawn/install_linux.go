package nspawn

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	diskFile  = "disk.raw"
	spoolFile = "image.spool"
)

// unpack writes the disk that an image holds to dir.
func unpack(ctx context.Context, image io.Reader, dir string) error {
	buffered := bufio.NewReaderSize(image, copyBuffer)
	header, err := buffered.Peek(headerSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the image: %w", err)
	}
	kind, err := sniff(header)
	if err != nil {
		return err
	}
	if kind == raw {
		return writeSparse(ctx, filepath.Join(dir, diskFile), buffered)
	}
	// The clusters of a qcow2 can be in any order: it must lie in a file.
	spool := filepath.Join(dir, spoolFile)
	err = writeSparse(ctx, spool, buffered)
	if err == nil {
		err = convert(ctx, kind, spool, dir)
	}
	return errors.Join(err, removeAll(spool))
}

// unpackFile is unpack for an image that lies in a file already.
func unpackFile(ctx context.Context, path, dir string) error {
	path, err := filepath.Abs(path) // Something like "nbd:…" would not be a file to qemu-img.
	if err != nil {
		return fmt.Errorf("find the image: %w", err)
	}
	file, err := os.Open(path) //nolint:gosec // The caller's choice.
	if err != nil {
		return fmt.Errorf("open the image: %w", err)
	}
	defer file.Close()
	header := make([]byte, headerSize)
	n, err := io.ReadFull(file, header)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("read the image: %w", err)
	}
	kind, err := sniff(header[:n])
	if err != nil {
		return err
	}
	return convert(ctx, kind, path, dir)
}

func convert(ctx context.Context, kind format, path, dir string) error {
	err := run(ctx, "qemu-img", "convert", "-f", string(kind), "-O", "raw", path, filepath.Join(dir, diskFile))
	if err != nil {
		return fmt.Errorf("unpack the %s image: %w", kind, err)
	}
	return nil
}

func writeSparse(ctx context.Context, path string, from io.Reader) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // Within the lab's own directory.
	if err != nil {
		return fmt.Errorf("make the machine's disk: %w", err)
	}
	_, err = copySparse(ctx, file, from)
	return errors.Join(err, file.Close())
}

// mountDisk mounts the root file system of a disk. The kernel's own reading of
// partition tables is not used: it can be compiled without.
func mountDisk(ctx context.Context, disk, point string) error {
	root, err := findRoot(disk)
	if err != nil {
		return err
	}
	options := fmt.Sprintf("loop,offset=%d,sizelimit=%d", root.offset, root.size)
	if err := run(ctx, "mount", "-t", "ext4", "-o", options, disk, point); err != nil {
		return fmt.Errorf("%w: its file system cannot be mounted: %w", ErrNotBootable, err)
	}
	return nil
}

func findRoot(disk string) (region, error) {
	file, err := os.Open(disk) //nolint:gosec // Within the lab's own directory.
	if err != nil {
		return region{}, fmt.Errorf("open the machine's disk: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return region{}, fmt.Errorf("look at the machine's disk: %w", err)
	}
	return rootRegion(file, info.Size())
}

// findInit says how systemd-nspawn is told to boot what is mounted at dir: the
// option for the usual places of an init, or NixOS's own, which its boot loader
// would be told.
func findInit(dir string) ([]string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("look for an init: %w", err)
	}
	defer root.Close()
	for _, path := range []string{"usr/lib/systemd/systemd", "lib/systemd/systemd", "sbin/init"} {
		if isProgram(root, path) {
			return []string{"--boot"}, nil
		}
	}
	const nixos = "nix/var/nix/profiles/system/init"
	if isProgram(root, nixos) {
		return []string{"/" + nixos}, nil
	}
	return nil, fmt.Errorf("%w: its file system holds no init (/sbin/init, /usr/lib/systemd/systemd or /%s)", ErrNotBootable, nixos)
}

func isProgram(root *os.Root, path string) bool {
	resolved, err := resolve(root, path)
	if err != nil {
		return false
	}
	info, err := root.Stat(resolved)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// personalize writes what a droplet learns from the metadata service: who may log
// in as root, and its name. A hostname that is a link, as on NixOS, is the image's.
func personalize(dir string, o BootOptions) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("write the droplet's own files: %w", err)
	}
	defer root.Close()
	if err := authorize(root, o.AuthorizedKeys); err != nil {
		return fmt.Errorf("write root's authorized_keys: %w", err)
	}
	info, err := root.Lstat("etc/hostname")
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode().IsRegular() {
		if err := writeFile(root, "etc/hostname", o.Hostname+"\n", 0o644); err != nil {
			return fmt.Errorf("write the droplet's name: %w", err)
		}
	}
	return nil
}

// authorize adds the keys to those that the image brings.
func authorize(root *os.Root, keys []string) error {
	dir, err := resolve(root, "root/.ssh")
	if err != nil {
		return err
	}
	if err := root.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make /%s: %w", dir, err)
	}
	path, err := resolve(root, filepath.Join(dir, "authorized_keys"))
	if err != nil {
		return err
	}
	former, err := root.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read /%s: %w", path, err)
	}
	lines := strings.Split(strings.TrimSuffix(string(former), "\n"), "\n")
	for _, key := range keys {
		if key = strings.TrimSpace(key); !slices.Contains(lines, key) {
			lines = append(lines, key)
		}
	}
	return writeFile(root, path, strings.TrimPrefix(strings.Join(lines, "\n")+"\n", "\n"), 0o600)
}

func writeFile(root *os.Root, path, text string, mode os.FileMode) error {
	if err := root.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make the directory of /%s: %w", path, err)
	}
	if err := root.WriteFile(path, []byte(text), mode); err != nil {
		return fmt.Errorf("write /%s: %w", path, err)
	}
	return nil
}
