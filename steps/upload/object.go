package upload

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/versatus/snowdrop/internal/image"
	"github.com/versatus/snowdrop/internal/space"
)

// object makes sure that the image is in the Space, whole.
func (w *work) object(ctx context.Context) (*document, error) {
	d, err := w.wholeObject(ctx)
	if err != nil {
		return nil, err
	}
	if d != nil {
		w.keys = []string{w.folder() + d.Name, w.infoKey()}
		w.tell.Phase("using %s (%s), which is in the Space already", d.Name, amount(d.Size))
		return d, image.Info{Path: d.Name, VirtualSize: d.VirtualSize}.FitsDisk(w.in.MinDisk)
	}
	info, err := w.inspect(ctx)
	if err != nil {
		return nil, err
	}
	return w.send(ctx, info)
}

// inspect refuses a wrong image before anything is sent.
func (w *work) inspect(ctx context.Context) (image.Info, error) {
	path, err := image.Find(w.in.Image)
	if err != nil {
		return image.Info{}, fmt.Errorf("find the image of server %s: %w", w.in.Server, err)
	}
	w.tell.Phase("inspecting %s", path)
	info, err := image.InspectWatched(ctx, path, func(done, total int64) { w.tell.Progress(done, total, "bytes") })
	if err != nil {
		return image.Info{}, fmt.Errorf("image of server %s: %w", w.in.Server, err)
	}
	for _, text := range info.Warnings {
		w.tell.Warn("%s: %s", info.Name, text)
	}
	return info, info.FitsDisk(w.in.MinDisk)
}

// send uploads the image, and info.json after it.
func (w *work) send(ctx context.Context, info image.Info) (*document, error) {
	stream, err := info.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("image of server %s: %w", w.in.Server, err)
	}
	defer func() { _ = stream.Close() }() // it ends the packing; errors came from Read

	key := w.folder() + info.ObjectName()
	w.keys = []string{key, w.infoKey()}
	w.tell.Phase("uploading %s (%s)", info.Name, amount(info.Size))
	w.tell.Progress(0, info.Size, "bytes")
	stored, err := w.Space.Upload(ctx, key, stream, space.UploadOptions{
		ContentType: contentType(info),
		Progress: func(int64) {
			done, total := stream.Consumed()
			w.tell.Progress(done, total, "bytes")
		},
	})
	if err != nil {
		return nil, fmt.Errorf("bring the image into the Space: %w", err)
	}
	sum, size := stream.Sum()
	if stored.Size != size {
		return nil, fmt.Errorf("bring the image into the Space: %d bytes were sent and %d stored; run it again", size, stored.Size)
	}
	d := &document{Name: info.ObjectName(), SHA256: sum, Size: size, VirtualSize: info.VirtualSize}
	data, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", w.infoKey(), err)
	}
	if err := w.Space.Put(ctx, w.infoKey(), data, "application/json"); err != nil {
		return nil, fmt.Errorf("note that the image is in the Space: %w", err)
	}
	return d, nil
}

func contentType(info image.Info) string {
	if info.Compression == image.Bzip2 {
		return "application/x-bzip2"
	}
	return "application/gzip"
}
