package image

import (
	"fmt"
	"strconv"
	"strings"
)

// The text of LVM2's metadata is nested sections of values: `name { … }` and
// `name = value`, where a value is a number, a string, or a list of them; # begins a
// comment. Compare lvmsystemid(7), lib/config/config.c of LVM2.

// What of a text is read: more than any group has that LVM2 can handle well.
const (
	maxLVMText   = 8 << 20 // bytes
	maxLVMValues = 250_000 // sections and values
	maxLVMDepth  = 8
)

// An lvmNode is a section or a value. Its strings are parts of the text.
type lvmNode struct {
	key  string
	text string    // of a string
	num  int64     // of a number
	is   lvmKind   // what it is
	kids []lvmNode // of a section or list
}

type lvmKind uint8

const (
	lvmNumber lvmKind = iota
	lvmString
	lvmList
	lvmSection
)

// get gives what n has under key; the zero node if there is none of that kind.
func (n *lvmNode) get(key string, is lvmKind) *lvmNode {
	for i := range n.kids {
		if k := &n.kids[i]; k.key == key && k.is == is {
			return k
		}
	}
	return &lvmNode{}
}

// count is a number that is not negative and below 2^32, which all of LVM2's counts are.
func (n *lvmNode) count(key string) (uint64, bool) {
	for i := range n.kids {
		if k := &n.kids[i]; k.key == key && k.is == lvmNumber {
			return uint64(k.num), k.num >= 0 && k.num < 1<<32
		}
	}
	return 0, false
}

// has tells whether the list under key has the string word.
func (n *lvmNode) has(key, word string) bool {
	for _, k := range n.get(key, lvmList).kids {
		if k.is == lvmString && k.text == word {
			return true
		}
	}
	return false
}

// parseLVM parses a text up to its end, or to its first NUL. The error has the byte of
// the text that it is about.
func parseLVM(text string) (lvmNode, error) {
	if i := strings.IndexByte(text, 0); i >= 0 {
		text = text[:i]
	}
	p := &lvmParser{text: text}
	root := lvmNode{is: lvmSection}
	kids, err := p.section(0)
	root.kids = kids
	return root, err
}

type lvmParser struct {
	text   string
	at     int
	values int
}

func (p *lvmParser) bad(what string) error {
	return fmt.Errorf("byte %d of the text: %s", p.at, what)
}

// space passes over blanks and comments.
func (p *lvmParser) space() {
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			p.at++
		case c == '#':
			end := strings.IndexByte(p.text[p.at:], '\n')
			if end < 0 {
				p.at = len(p.text)
				return
			}
			p.at += end
		default:
			return
		}
	}
}

// peek is the next byte that is no blank, 0 at the end.
func (p *lvmParser) peek() byte {
	p.space()
	if p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

func (p *lvmParser) another() error {
	if p.values++; p.values > maxLVMValues {
		return p.bad(fmt.Sprintf("more than %d values", maxLVMValues))
	}
	return nil
}

// section parses what lies between braces, or, at depth 0, all there is.
func (p *lvmParser) section(depth int) ([]lvmNode, error) {
	if depth > maxLVMDepth {
		return nil, p.bad("sections nested too deep")
	}
	var kids []lvmNode
	for {
		switch c := p.peek(); {
		case c == 0 && depth == 0:
			return kids, nil
		case c == 0:
			return kids, p.bad("ends within a section")
		case c == '}' && depth > 0:
			p.at++
			return kids, nil
		}
		if err := p.another(); err != nil {
			return kids, err
		}
		key := p.word()
		if key == "" {
			return kids, p.bad("want a name")
		}
		n := lvmNode{key: key}
		var err error
		switch p.peek() {
		case '{':
			p.at++
			n.is = lvmSection
			n.kids, err = p.section(depth + 1)
		case '=':
			p.at++
			err = p.value(&n, true)
		default:
			err = p.bad("want { or =")
		}
		if err != nil {
			return kids, err
		}
		kids = append(kids, n)
	}
}

// word takes a name or number: what has no meaning of its own.
func (p *lvmParser) word() string {
	p.space()
	from := p.at
	for p.at < len(p.text) {
		if c := p.text[p.at]; c <= ' ' || strings.IndexByte("#={}[],\"", c) >= 0 {
			break
		}
		p.at++
	}
	return p.text[from:p.at]
}

// value parses one value into n.
func (p *lvmParser) value(n *lvmNode, lists bool) error {
	switch c := p.peek(); {
	case c == '"':
		n.is = lvmString
		return p.quoted(n)
	case c == '[' && lists:
		p.at++
		n.is = lvmList
		return p.list(n)
	}
	w := p.word()
	if w == "" {
		return p.bad("want a value")
	}
	num, err := strconv.ParseInt(w, 10, 64)
	if err != nil {
		n.is, n.text = lvmString, w // a fraction, say: nothing that is used here
		return nil
	}
	n.num = num
	return nil
}

func (p *lvmParser) list(n *lvmNode) error {
	for {
		switch p.peek() {
		case 0:
			return p.bad("ends within a list")
		case ']':
			p.at++
			return nil
		case ',':
			p.at++
			continue
		}
		if err := p.another(); err != nil {
			return err
		}
		var v lvmNode
		if err := p.value(&v, false); err != nil {
			return err
		}
		n.kids = append(n.kids, v)
	}
}

// quoted parses a string, in which \ takes the meaning from the byte behind it.
func (p *lvmParser) quoted(n *lvmNode) error {
	p.at++
	from, escaped := p.at, false
	for ; p.at < len(p.text); p.at++ {
		switch p.text[p.at] {
		case '\\':
			escaped = true
			p.at++
		case '"':
			n.text = p.text[from:p.at]
			p.at++
			if escaped {
				n.text = unescapeLVM(n.text)
			}
			return nil
		}
	}
	p.at = len(p.text)
	return p.bad("ends within a string")
}

func unescapeLVM(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b = append(b, s[i])
	}
	return string(b)
}
