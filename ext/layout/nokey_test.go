package layout

import (
	"bytes"
	"testing"
)

// The seed 01020304-0506-0708-090a-0b0c0d0e0f10.
var noKeySeed = [4]uint32{0x04030201, 0x08070605, 0x0c0b0a09, 0x100f0e0d}

// Names of ciphertext on disk, and how Linux 6.18 listed them without the key.
func TestNoKeyName(t *testing.T) {
	indexed := NoKeyRule{Indexed: true, HashVersion: HashHalfMD4, Seed: noKeySeed}
	tea := NoKeyRule{Indexed: true, HashVersion: HashTEA, Seed: noKeySeed}
	teaUnsigned := NoKeyRule{Indexed: true, HashVersion: HashTEA.Unsigned(), Seed: noKeySeed}
	for _, tt := range []struct {
		name       string
		rule       NoKeyRule
		dump, want string
	}{
		{"one block", indexed,
			"72e06286142356c7b1a231fc735ee710",
			"Us3XGopDL6py4GKGFCNWx7GiMfxzXucQ"},
		{"one block, two ciphers blocks", indexed,
			"05daae44b38af3d5ef9b1d84e61110d9a2115ee9c62e7d685ce67e0185725d7f",
			"svCoKtcdAVAF2q5Es4rz1e-bHYTmERDZohFe6cYufWhc5n4BhXJdfw"},
		{"one block, long", indexed,
			"5b46a8962b3c43c0191446f9e90a9fb3ff826350590bc2e29e34f0e2d8260e6e3e7dd42408dc77eb12bb558c5c816a45a9dc900ce8c8b308652c755a" +
				"58ed14df24d6471b496971ff91b7d9b34cd0341c24ec04f07d3dfb917e856bd0eefa43957e13b6c5f82c0777f5ef74914c59cefc40426160873a61f5" +
				"ebbd5cb16181725728c645c2470f4f0385730920b072b271d3349c8ceb15af17",
			"sMG-PdRh7ClbRqiWKzxDwBkURvnpCp-z_4JjUFkLwuKeNPDi2CYObj591CQI3HfrErtVjFyBakWp3JAM6MizCGUsdVpY7RTfJNZHG0lpcf-Rt9mzTNA0HCTs" +
				"BPB9PfuRfoVr0O76Q5V-E7bF-CwHd_XvdJFMWc78QEJhYIc6YfXrvVyxYYFyVyjGRcJHD08DhXMJILBysnHTNJyM6yxoAirKadBXcNYjBtYFqtm6sYa_Lhc2" +
				"qa547XCGM-MD"},
		{"policy v1, one block, 255 bytes", indexed,
			"6587d739aad8984f9937a5b79d64551a9b052cdda54bdaf89df5a8d431c73ccfc1fffc1fa39d175a283d46bb5072e8559acdd24ca63886290c984f23" +
				"4c9cb6e06ddfe4de307a09d3ec8afac5d72c0f50d6c8ef7255cde7e58eb0cbd67427925a35d68323b2cb533c1774457aeb7aac3abcc8741da6273f97" +
				"baa31416b65325347770c0bb1ccbf89702578f48553bb5e3bc099034c099d602cad9d1644fdea2227332fd086dc92fb1932ed53255dcacc3c1993ba0" +
				"a843f0cdfc0074e03538b477a8eeba348813e46a7a71bd1264435f1d4f568cc4d3837ed655b69109fab3e075564e6f961e63cf4cab1b10c9feda76c0" +
				"9f6523f9a4478cd08daa43624b411e",
			"WEmVm47UM6hlh9c5qtiYT5k3pbedZFUamwUs3aVL2vid9ajUMcc8z8H__B-jnRdaKD1Gu1By6FWazdJMpjiGKQyYTyNMnLbgbd_k3jB6CdPsivrF1ywPUNbI" +
				"73JVzefljrDL1nQnklo11oMjsstTPBd0RXrreqw6vMh0HaYnP5e6oxQWtlMlNHdwwLscy_iXAlePSFU7teO8CZA0wJW2-qsZ8l_OrvHdWlj4XcDuvlp_NBRL" +
				"87jggt-Ycq9q"},
		{"index of 9 blocks", indexed,
			"8fc3201ce389d7b4105252a9cc2d6116a3e0b5a55f743c23b01f2c42070c7a73ad5eed579364d7eba72043dbb2b7a266764dc45af1f1ffdfc72511fb" +
				"59a8e8b6",
			"Ssj0HUL2OoiPwyAc44nXtBBSUqnMLWEWo-C1pV90PCOwHyxCBwx6c61e7VeTZNfrpyBD27K3omZ2TcRa8fH_38clEftZqOi2"},
		{"index of 9 blocks, long", indexed,
			"561c5158b0084038f0b31d8b80776078c54661f235c775f5b361ec31e07909200b8e06f07ad81a377ac6e5af7ea2303535b3c2e9427f8d79c81b0c02" +
				"b88d0b21418839523eca1df9bfd60904e7a5a0fd4ae924b7e668bbca9cf1292de22ca3f888fa86759039de69dee1e7a702c9466af5389fa30375dda4" +
				"2d4709ab8d4f01a30c6327431f5db50a5b3a19b5d7e1f47cbcb6024e314d9f0f578a979201c49480296344cecf822b302057a271d67ac54c93429ee0" +
				"de5c71764429f065354819ea649fa28f9e943ea273634d11e3446c5a7c8a9a58db75382219a40dbc6f89641a",
			"MIpFiP64twtWHFFYsAhAOPCzHYuAd2B4xUZh8jXHdfWzYewx4HkJIAuOBvB62Bo3esblr36iMDU1s8LpQn-NecgbDAK4jQshQYg5Uj7KHfm_1gkE56Wg_Urp" +
				"JLfmaLvKnPEpLeIso_iI-oZ1kDnead7h56cCyUZq9TifowN13aQtRwmrjU8BowxjJ0MfXbUKWzoZtdfh9Hy8tgJOMVdmWkTM-1VBKX0lWSYWJTR6JVCh4o4G" +
				"pc8UyCfsQwsk"},
		{"no dir_index, one block", NoKeyRule{},
			"c450576a83239310899d423d7ef8573f",
			"AAAAAAAAAADEUFdqgyOTEImdQj1--Fc_"},
		{"no dir_index, three blocks, long", NoKeyRule{},
			"52c2e5801e11335b04b9ebe574f8fc114ce9ce1acef79bd7d795bf78e4a66173c8e9700d0a37c5864ed6f25dd9764027ffbec8e0a4c727bd5a769d24" +
				"95b34386ba8915b6d668b6aa3bd0215fe4a2ddd657455d470d761cbc558036cfdc510b4a59406280c7a1cb69abaae4f84d91fd99879e3b395823840e" +
				"91eb91f86a0eaf61b907fd84208a91e3a9176c00bd436a56d659422f1bffd6e88841db232d5a0c24881996bfbea6cbb3a2509a92310195b31a95e7af" +
				"be794fc2",
			"AAAAAAAAAABSwuWAHhEzWwS56-V0-PwRTOnOGs73m9fXlb945KZhc8jpcA0KN8WGTtbyXdl2QCf_vsjgpMcnvVp2nSSVs0OGuokVttZotqo70CFf5KLd1ldF" +
				"XUcNdhy8VYA2z9xRC0pZQGKAx6HLaauq5PhNkf2Zh547OVgjhA6R65H4ag6vYbkH_YQgipHjqRdsAL1DalbWWUIvG59Tlf8i2wsmW0w8LewQo39zunOX_9X7" +
				"OsjGaNqmWTtw"},
		{"dir_index set later, three blocks without index", NoKeyRule{},
			"269a8b01b156ff54557a705918e12bfe2da8ca9ffb929f6da0aa1f93bc9e90953c1513a137e2a524",
			"AAAAAAAAAAAmmosBsVb_VFV6cFkY4Sv-LajKn_uSn22gqh-TvJ6QlTwVE6E34qUk"},
		{"one block, default hash tea", tea,
			"0639cddc41f03ba952e993e2bdb43917",
			"JO8kbZet1OIGOc3cQfA7qVLpk-K9tDkX"},
		{"one block, tea and unsigned", teaUnsigned,
			"0639cddc41f03ba952e993e2bdb43917",
			"GK-OWUeijrUGOc3cQfA7qVLpk-K9tDkX"},
		{"one block, tea and unsigned", teaUnsigned,
			"b259a83f5fc6fb17f4d903a9f985a0a8",
			"Cj8h4Au-w6CyWag_X8b7F_TZA6n5haCo"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			name := hexBytes(t, tt.dump)
			hash, minor := NoKeyHash(tt.rule, name, [2]uint32{1, 2})
			if got := NoKeyName(hash, minor, name); string(got) != tt.want {
				t.Errorf("got\n%s, want\n%s", got, tt.want)
			}
		})
	}
}

func TestNoKeyHashStored(t *testing.T) {
	rule := NoKeyRule{Casefolded: true, Indexed: true, HashVersion: HashSipHash}
	if hash, minor := NoKeyHash(rule, make([]byte, 16), [2]uint32{1, 2}); hash != 1 || minor != 2 {
		t.Errorf("got %d, %d: a casefolded directory stores the hash", hash, minor)
	}
}

func TestNoKeyNameLengths(t *testing.T) {
	for n, want := range map[int]int{15: 0, 16: 32, 149: 210, 150: 252, 255: 252} {
		if got := len(NoKeyName(1, 2, make([]byte, n))); got != want {
			t.Errorf("%d bytes of ciphertext: %d characters, want %d", n, got, want)
		}
	}
}

// i_block of a short link, a block of a long one, and what readlink(1) printed.
func TestEncryptedSymlinkTarget(t *testing.T) {
	for _, tt := range []struct{ name, dump, want string }{
		{"in i_block", "1000 99d3d17fbe3d783a37217fe4052bbf58 .42.", "AAAAAAAAAACZ09F_vj14Ojchf-QFK79Y"},
		{"in a block", "c8007de8d9fa57a466cb01359d79a6746dcc86451978afeac61bcb0e01e6c0e6f98100721832af6c7f90643b972e375eaf091336ff8ea53b38bf7531" +
			"b4cbf97cf0b507be7bb32c8b4699f0eb143cfa3657d9ffaa1788ba63688cb178d545461a5d332fc9e00cfb1701d0c9ba32f22a8622954c84aeebac35" +
			"9ca51e716c391edcbbdc0453219a1f6674ea23cb88f93b89a6dd89fae40e27f4293b264b0d9f36c0ad35b1fafc9ea22fbbafc516de98fd26a90c6b80" +
			"6d862bc7c9932d04fda2f9fc845fbb49b82020d82be0",
			"AAAAAAAAAAB96Nn6V6RmywE1nXmmdG3MhkUZeK_qxhvLDgHmwOb5gQByGDKvbH-QZDuXLjderwkTNv-OpTs4v3UxtMv5fPC1B757syyLRpnw6xQ8-jZX2f-q" +
				"F4i6Y2iMsXjVRUYaXTMvyeAM-xcB0Mm6MvIqhiKVTISu66w1nKUecWw5Hty73ARTIZofZnTqI8uI-TuJpt2J-uQOJ6cmbGC7-CI_MkU9axhwWDBa86F_zMeq" +
				"eXwsEtg7QZgd"},
		{"empty", "0000 .16.", ""},
		{"longer than its place", "1100 .16.", ""},
		{"half a length", "10", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			target, ok := EncryptedSymlinkTarget(hexBytes(t, tt.dump))
			if ok != (tt.want != "") {
				t.Fatalf("ok is %v", ok)
			}
			if got := NoKeyName(0, 0, target); string(got) != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func FuzzEncryptedSymlinkTarget(f *testing.F) {
	f.Add(hexBytes(f, "1000 99d3d17fbe3d783a37217fe4052bbf58 .42."))
	f.Fuzz(func(t *testing.T, b []byte) {
		target, ok := EncryptedSymlinkTarget(b)
		if ok && !bytes.HasPrefix(b[2:], target) {
			t.Error("the target is not in the content")
		}
		if name := NoKeyName(1, 2, target); len(name) > MaxNameLen {
			t.Errorf("%d characters", len(name))
		}
	})
}
