package layout

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// capNames holds the Linux capabilities by number, include/uapi/linux/capability.h.
var capNames = [...]string{
	"cap_chown", "cap_dac_override", "cap_dac_read_search", "cap_fowner",
	"cap_fsetid", "cap_kill", "cap_setgid", "cap_setuid",
	"cap_setpcap", "cap_linux_immutable", "cap_net_bind_service", "cap_net_broadcast",
	"cap_net_admin", "cap_net_raw", "cap_ipc_lock", "cap_ipc_owner",
	"cap_sys_module", "cap_sys_rawio", "cap_sys_chroot", "cap_sys_ptrace",
	"cap_sys_pacct", "cap_sys_admin", "cap_sys_boot", "cap_sys_nice",
	"cap_sys_resource", "cap_sys_time", "cap_sys_tty_config", "cap_mknod",
	"cap_lease", "cap_audit_write", "cap_audit_control", "cap_setfcap",
	"cap_mac_override", "cap_mac_admin", "cap_syslog", "cap_wake_alarm",
	"cap_block_suspend", "cap_audit_read", "cap_perfmon", "cap_bpf",
	"cap_checkpoint_restore",
}

// The first word of the value: revision and flags (VFS_CAP_*).
const (
	capRevisionShift = 24
	capFlagEffective = 0x000001
)

// DecodeCapability decodes the value of security.capability, struct
// vfs_cap_data or vfs_ns_cap_data of include/uapi/linux/capability.h, to the
// text getcap -n shows: "cap_net_bind_service,cap_net_raw=eip", and behind it
// " [rootid=1000]" where the capabilities hold only in a user namespace whose
// root is that user. The error, if any, is a *CorruptError with an offset from
// the start of b.
func DecodeCapability(b []byte) (string, error) {
	bad := func(field string, value uint64) (string, error) {
		return "", &CorruptError{"file capabilities", field, 0, value}
	}
	if len(b) < 4 {
		return bad("length", uint64(len(b)))
	}
	magic := le.Uint32(b[0x0:]) // magic_etc
	var sets, want int          // pairs of 32-bit sets; length in bytes
	switch revision := magic >> capRevisionShift; revision {
	case 1:
		sets, want = 1, 12
	case 2:
		sets, want = 2, 20
	case 3:
		sets, want = 2, 24
	default:
		return bad("magic_etc", uint64(magic))
	}
	if len(b) != want {
		return bad("length", uint64(len(b)))
	}
	var permitted, inheritable, effective uint64
	for i := range sets {
		permitted |= uint64(le.Uint32(b[0x4+8*i:])) << (32 * i)   // data[i].permitted
		inheritable |= uint64(le.Uint32(b[0x8+8*i:])) << (32 * i) // data[i].inheritable
	}
	if magic&capFlagEffective != 0 {
		effective = permitted | inheritable // one flag stands for the whole set
	}
	text := capText(effective, inheritable, permitted)
	if want == 24 {
		if root := le.Uint32(b[0x14:]); root != 0 { // rootid
			text += fmt.Sprintf(" [rootid=%d]", root)
		}
	}
	return text, nil
}

// capText words three capability sets as cap_to_text(3) does: the state most
// named capabilities share goes first, and is left out if it is "none" and
// others follow; then each other state with the capabilities in it, as a change
// to the first; then the capabilities without a name.
func capText(effective, inheritable, permitted uint64) string {
	// members holds the capabilities in each of the 8 states: 1 effective,
	// 2 permitted, 4 inheritable, in any sum.
	var members [8]uint64
	for state := range members {
		members[state] = ^uint64(0)
		for i, set := range [...]uint64{effective, permitted, inheritable} {
			if state>>i&1 == 0 {
				set = ^set
			}
			members[state] &= set
		}
	}
	const named = 1<<len(capNames) - 1
	common := 7
	for state := 6; state >= 0; state-- {
		if bits.OnesCount64(members[state]&named) >= bits.OnesCount64(members[common]&named) {
			common = state
		}
	}
	clauses := []string{"=" + capFlags(common)}
	for state := 7; state >= 0; state-- {
		if state == common || members[state]&named == 0 {
			continue
		}
		clause := capList(members[state] & named)
		if raised := state &^ common; raised != 0 {
			op := "+"
			if clauses[0] == "=" {
				clauses, op = clauses[1:], "=" // "= a+ep" says the same as "a=ep"
			}
			clause += op + capFlags(raised)
		}
		if lowered := common &^ state; lowered != 0 {
			clause += "-" + capFlags(lowered)
		}
		clauses = append(clauses, clause)
	}
	for state := 7; state > 0; state-- {
		if nameless := members[state] &^ named; nameless != 0 {
			clauses = append(clauses, capList(nameless)+"+"+capFlags(state))
		}
	}
	return strings.Join(clauses, " ")
}

// capList names the capabilities in set, by number where they have no name.
func capList(set uint64) string {
	var names []string
	for ; set != 0; set &= set - 1 {
		n := bits.TrailingZeros64(set)
		if n < len(capNames) {
			names = append(names, capNames[n])
		} else {
			names = append(names, strconv.Itoa(n))
		}
	}
	return strings.Join(names, ",")
}

// capFlags spells a state.
func capFlags(state int) string {
	var s string
	for _, f := range [...]struct {
		bit  int
		text string
	}{{1, "e"}, {4, "i"}, {2, "p"}} {
		if state&f.bit != 0 {
			s += f.text
		}
	}
	return s
}

// TrimLabel gives the text of a security label, as of security.selinux: the
// value without the NUL that ends it on disk.
func TrimLabel(value []byte) []byte { return untilNUL(value) }
