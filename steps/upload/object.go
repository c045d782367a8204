package upload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/image"
	"github.com/versatus/snowdrop/internal/space"
)

// removeTimeout bounds the removal of an object in a run that was cancelled.
const removeTimeout = 5 * time.Second

// object is the image's bytes in the Space. Beside it stands a small document,
// written after it: where both are, and the sizes agree, the object is whole.
type object struct {
	key         string
	Name        string `json:"name"`
	SHA256      string `json:"sha256"`
	Size        int64  `json:"size"`
	VirtualSize int64  `json:"virtualSize"`
}

func folder(hash string) string    { return "images/" + hash + "/" }
func documentOf(key string) string { return key[:len("images/")+hashLength+1] + "info.json" }

const hashLength = 32

// object uploads the image, unless it is in the Space already, whole. If its key
// is not empty, something may be there, also after an error.
func (s Step) object(ctx context.Context, tell event.Teller, in In) (object, error) {
	if len(in.Hash) != hashLength {
		return object{}, fmt.Errorf("server %s: %q is not the hash of a store path", in.Server, in.Hash)
	}
	if whole, err := s.whole(ctx, in.Hash); err != nil {
		return object{}, err
	} else if whole != nil {
		tell.Phase("the object is in the Space already")
		return *whole, nil
	}
	info, err := inspect(ctx, tell, in)
	if err != nil {
		return object{}, err
	}
	return s.put(ctx, tell, in, info)
}

// whole returns the object if an earlier run has uploaded all of it.
func (s Step) whole(ctx context.Context, hash string) (*object, error) {
	data, err := s.Space.Get(ctx, folder(hash)+"info.json")
	if errors.Is(err, space.ErrNotFound) {
		return nil, nil //nolint:nilnil // there is none
	}
	if err != nil {
		return nil, fmt.Errorf("look for the object in the Space: %w", err)
	}
	var o object
	if err := json.Unmarshal(data, &o); err != nil || o.Name == "" {
		return nil, nil //nolint:nilnil,nilerr // not one of ours: it is uploaded again
	}
	o.key = folder(hash) + o.Name
	there, err := s.Space.Stat(ctx, o.key)
	switch {
	case errors.Is(err, space.ErrNotFound):
		return nil, nil //nolint:nilnil // only the document is left
	case err != nil:
		return nil, fmt.Errorf("look for the object in the Space: %w", err)
	case there.Size != o.Size:
		return nil, nil //nolint:nilnil // not whole
	}
	return &o, nil
}

// put uploads the image; one that is not compressed is compressed on the way.
func (s Step) put(ctx context.Context, tell event.Teller, in In, info image.Info) (object, error) {
	stream, err := info.Open(ctx)
	if err != nil {
		return object{}, fmt.Errorf("read the image of %s: %w", in.Server, err)
	}
	defer func() { _ = stream.Close() }() // it was only read
	o := object{key: folder(in.Hash) + info.ObjectName(), Name: info.ObjectName(), VirtualSize: info.VirtualSize}
	tell.Phase("uploading %s", info.ObjectName())
	uploaded, err := s.Space.Upload(ctx, o.key, stream, space.UploadOptions{
		ContentType: "application/octet-stream",
		Progress: func(int64) {
			done, total := stream.Consumed()
			tell.Progress(done, total, "bytes")
		},
	})
	if err != nil {
		return o, fmt.Errorf("upload the image of %s: %w", in.Server, err)
	}
	o.SHA256, o.Size = stream.Sum()
	if uploaded.Size != 0 && uploaded.Size != o.Size {
		return o, fmt.Errorf("upload the image of %s: sent %d bytes, the Space has %d: run it again", in.Server, o.Size, uploaded.Size)
	}
	data, err := json.Marshal(o)
	if err != nil {
		return o, fmt.Errorf("describe the object of %s: %w", in.Server, err)
	}
	if err := s.Space.Put(ctx, documentOf(o.key), data, "application/json"); err != nil {
		return o, fmt.Errorf("describe the object of %s: %w", in.Server, err)
	}
	return o, nil
}

// remove deletes the object and its document, also in a run that was cancelled.
func (s Step) remove(ctx context.Context, o object) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	if err := s.Space.Delete(ctx, o.key, documentOf(o.key)); err != nil {
		return fmt.Errorf("the object %s is still in the Space (`snowdrop prune` removes it): %w", o.key, err)
	}
	return nil
}
