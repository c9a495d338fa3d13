package main

import (
	"strconv"
	"strings"
)

// A permTest compares permission bits as find -perm does.
type permTest struct {
	bits uint16
	kind byte // '-' all of them, '/' any, 0 exactly these
}

func (p permTest) holds(mode uint16) bool {
	mode &= 0o7777
	switch p.kind {
	case '-':
		return mode&p.bits == p.bits
	case '/':
		return p.bits == 0 || mode&p.bits != 0
	}
	return mode == p.bits
}

func parsePerm(s string) (permTest, error) {
	var p permTest
	rest := s
	if s != "" && (s[0] == '-' || s[0] == '/') {
		p.kind, rest = s[0], s[1:]
	}
	if n, err := strconv.ParseUint(rest, 8, 12); err == nil {
		p.bits = uint16(n)
		return p, nil
	}
	bits, ok := symbolicMode(rest)
	if !ok {
		return p, usagef("--perm %s: must be octal, as 644, or symbolic, as u=rw,go+r, with - or / ahead", s)
	}
	p.bits = bits
	return p, nil
}

// symbolicMode is what chmod(1) would make of no permissions at all.
func symbolicMode(s string) (bits uint16, ok bool) {
	for clause := range strings.SplitSeq(s, ",") {
		at := strings.IndexAny(clause, "+-=")
		if at < 0 {
			return 0, false
		}
		var who uint16 // the bits that the clause is about
		for _, c := range clause[:at] {
			switch c {
			case 'u':
				who |= 0o4700
			case 'g':
				who |= 0o2070
			case 'o':
				who |= 0o1007
			case 'a':
				who |= 0o7777
			default:
				return 0, false
			}
		}
		if at == 0 {
			who = 0o7777
		}
		var what uint16
		for _, c := range clause[at+1:] {
			switch c {
			case 'r':
				what |= 0o444
			case 'w':
				what |= 0o222
			case 'x':
				what |= 0o111
			case 's':
				what |= 0o6000
			case 't':
				what |= 0o1000
			default:
				return 0, false
			}
		}
		what &= who
		switch clause[at] {
		case '+':
			bits |= what
		case '-':
			bits &^= what
		default:
			bits = bits&^who | what
		}
	}
	return bits, true
}
