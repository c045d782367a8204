//go:build !linux

package nspawn

import (
	"context"
	"io"
)

// Host cannot be had on this system.
type Host struct{}

// Machine cannot be had on this system.
type Machine struct{}

// Check always answers ErrUnsupported here.
func Check() error { return ErrUnsupported }

// NewHost always answers ErrUnsupported here.
func NewHost(context.Context, Config) (*Host, error) { return nil, ErrUnsupported }

// Close does nothing.
func (h *Host) Close() error { return nil }

// Machine always answers ErrUnsupported here.
func (h *Host) Machine(string) (*Machine, error) { return nil, ErrUnsupported }

// Name is empty.
func (m *Machine) Name() string { return "" }

// Address is empty.
func (m *Machine) Address() string { return "" }

// Boot always answers ErrUnsupported here.
func (m *Machine) Boot(context.Context, io.Reader, BootOptions) error { return ErrUnsupported }

// BootFile always answers ErrUnsupported here.
func (m *Machine) BootFile(context.Context, string, BootOptions) error { return ErrUnsupported }

// Start always answers ErrUnsupported here.
func (m *Machine) Start(context.Context) error { return ErrUnsupported }

// Stop always answers ErrUnsupported here.
func (m *Machine) Stop(context.Context) error { return ErrUnsupported }

// Remove always answers ErrUnsupported here.
func (m *Machine) Remove(context.Context) error { return ErrUnsupported }

// Running is false.
func (m *Machine) Running() bool { return false }

// Console is empty.
func (m *Machine) Console() string { return "" }

// EnsureBase always answers ErrUnsupported here.
func EnsureBase(context.Context, string) error { return ErrUnsupported }

// BaseImage always answers ErrUnsupported here.
func BaseImage(context.Context, string, string) error { return ErrUnsupported }
