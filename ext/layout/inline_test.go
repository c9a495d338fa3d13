package layout

import (
	"bytes"
	"testing"
)

// A file of 100 bytes and a directory, both inline, written by Linux 6.18: all
// of i_block, and what lies behind i_extra_isize.
const (
	inlineFileBlock = "343031373165366362646466646132386164376564626335613734393933376434613365613638633732326439636361303534653066363135386338"
	inlineFileBody  = `000002ea 04 07 3400 00000000 28000000 00000000 64617461 .32.
		0a633465613464613264333465393366376266633662376635623266633436383733323935613037`
	inlineDirBlock = "02000000 ba010000 0c00 02 02 6161 0000 bb010000 0c00 02 02 6262 0000 bd010000 2001 02 01 64 .23."
)

func TestInlineContent(t *testing.T) {
	iblock, body := hexBytes(t, inlineFileBlock), hexBytes(t, inlineFileBody)
	entries, err := DecodeXattrBody(body, 0)
	wantError(t, err, "")
	if len(entries) != 1 || !entries[0].IsInlineTail() || entries[0].FullName() != "system.data" {
		t.Fatalf("got %+v", entries)
	}
	tail, _ := entries[0].Value(body)
	whole := append(bytes.Clone(iblock), tail...)
	for _, tt := range []struct {
		size int64
		tail []byte
		want []byte
	}{
		{100, tail, whole},
		{60, tail, iblock},
		{61, tail, whole[:61]},
		{59, nil, iblock[:59]},
		{1, nil, iblock[:1]},
		{0, tail, nil},
		{-1, tail, nil},
		{1 << 62, tail, whole},
		{100, nil, iblock},
	} {
		if got := InlineContent(iblock, tt.tail, tt.size); !bytes.Equal(got, tt.want) {
			t.Errorf("size %d, %d bytes of tail: got %d bytes, want %d", tt.size, len(tt.tail), len(got), len(tt.want))
		}
	}
	if got := InlineContent(iblock[:10], nil, 20); len(got) != 10 {
		t.Errorf("%d bytes of a short i_block, want 10", len(got))
	}
}

func TestInlineDirParent(t *testing.T) {
	if got := InlineDirParent(hexBytes(t, inlineDirBlock)); got != 2 {
		t.Errorf("parent %d, want 2", got)
	}
	if got := InlineDirParent([]byte{1, 2, 3}); got != 0 {
		t.Errorf("parent %d in three bytes, want 0", got)
	}
}

func FuzzInlineContent(f *testing.F) {
	f.Add(hexBytes(f, inlineFileBlock), []byte("tail"), int64(62))
	f.Add(hexBytes(f, inlineDirBlock), []byte{}, int64(1)<<62)
	f.Fuzz(func(t *testing.T, iblock, tail []byte, size int64) {
		got := InlineContent(iblock, tail, size)
		if int64(len(got)) > max(0, size) || len(got) > len(iblock)+len(tail) {
			t.Errorf("%d bytes for size %d", len(got), size)
		}
		InlineDirParent(iblock)
	})
}
