package layout

import "testing"

// The text beside each dump of revision 2 or 3 is what getcap -n (libcap 2.66)
// printed for a file with that value; revision 1, which Linux no longer writes,
// is made by hand.
func TestDecodeCapability(t *testing.T) {
	for _, tt := range []struct{ dump, want, error string }{
		{"01000002 00200000 00000000 00000000 00000000", "cap_net_raw=ep", ""},
		{"01000002 00240000 00240000 00000000 00000000", "cap_net_bind_service,cap_net_raw=eip", ""},
		{"00000002 00200000 20000000 00000000 00000000", "cap_kill=i cap_net_raw+p", ""},
		{"01000002 ffffffff 00000000 ff010000 00000000", "=ep", ""},
		{"01000002 dfffffff 00000000 ff010000 00000000", "=ep cap_kill-ep", ""},
		{"01000002 feffffff 00000000 ff010000 00000000", "=ep cap_chown-ep", ""},
		{"00000002 ffffffff 00000000 ff010000 00000000", "=p", ""},
		{"01000002 00000000 00000000 00030480 00000000", "cap_checkpoint_restore=ep 41,50,63+ep", ""},
		{"00000002 00000000 00000000 00000000 00000000", "=", ""},
		{"01000002 ffffffff feffffff ff010000 ff010000", "=eip cap_chown-i", ""},
		{"01000002 21000000 20000000 00000000 00000000", "cap_kill=eip cap_chown+ep", ""},
		{"01000002 00200000 ffffffff 00000000 00000000", "=ei cap_net_raw+p cap_mac_override,cap_mac_admin,cap_syslog,cap_wake_alarm,cap_block_suspend,cap_audit_read,cap_perfmon,cap_bpf,cap_checkpoint_restore-ei", ""},
		{"01000002 ffffffff ffffffff ffff0000 0f000000", "=eip cap_block_suspend,cap_audit_read,cap_perfmon,cap_bpf,cap_checkpoint_restore-i 41,42,43,44,45,46,47+ep", ""},
		{"01000002 ffffffff 00000000 00000000 ffffffff", "=ep cap_mac_override,cap_mac_admin,cap_syslog,cap_wake_alarm,cap_block_suspend,cap_audit_read,cap_perfmon,cap_bpf,cap_checkpoint_restore+i-p 41,42,43,44,45,46,47,48,49,50,51,52,53,54,55,56,57,58,59,60,61,62,63+ei", ""},
		{"01000002 ffffffff 00000000 ff010000 ff030000", "=ep cap_mac_override,cap_mac_admin,cap_syslog,cap_wake_alarm,cap_block_suspend,cap_audit_read,cap_perfmon,cap_bpf,cap_checkpoint_restore+i 41+ei", ""},
		{"01000003 00200000 00000000 00000000 00000000 e8030000", "cap_net_raw=ep [rootid=1000]", ""},
		{"01000003 00200000 00000000 00000000 00000000 00000000", "cap_net_raw=ep", ""},
		{"01000001 00200000 01000000", "cap_chown=ei cap_net_raw+ep", ""},
		{"01", "", "corrupt file capabilities: length is 0x1 at byte 0"},
		{"01000004 00200000 00000000 00000000 00000000 e8030000", "", "corrupt file capabilities: magic_etc is 0x4000001 at byte 0"},
		{"01000002 00200000 00000000", "", "corrupt file capabilities: length is 0xc at byte 0"},
		{"01000002 00200000 00000000 00000000 00000000 00", "", "corrupt file capabilities: length is 0x15 at byte 0"},
	} {
		got, err := DecodeCapability(hexBytes(t, tt.dump))
		wantError(t, err, tt.error)
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.dump, got, tt.want)
		}
	}
}

func TestTrimLabel(t *testing.T) {
	for value, want := range map[string]string{
		"system_u:object_r:etc_t:s0\x00": "system_u:object_r:etc_t:s0",
		"unterminated":                   "unterminated",
		"":                               "",
	} {
		if got := string(TrimLabel([]byte(value))); got != want {
			t.Errorf("%q: got %q", value, got)
		}
	}
}

func FuzzDecodeCapability(f *testing.F) {
	f.Add(hexBytes(f, "01000002 00200000 ffffffff 00000000 00000000"))
	f.Add(hexBytes(f, "01000003 00200000 00000000 00000000 00000000 e8030000"))
	f.Add(hexBytes(f, "01000001 00200000 01000000"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := DecodeCapability(b); (s == "") != (err != nil) {
			t.Errorf("%q, %v", s, err)
		}
	})
}
