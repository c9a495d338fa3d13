#include "textflag.h"

// The constants of the rounds (FIPS 180-4, 4.2.2).
DATA rounds<>+0x00(SB)/4, $0x428a2f98
DATA rounds<>+0x04(SB)/4, $0x71374491
DATA rounds<>+0x08(SB)/4, $0xb5c0fbcf
DATA rounds<>+0x0c(SB)/4, $0xe9b5dba5
DATA rounds<>+0x10(SB)/4, $0x3956c25b
DATA rounds<>+0x14(SB)/4, $0x59f111f1
DATA rounds<>+0x18(SB)/4, $0x923f82a4
DATA rounds<>+0x1c(SB)/4, $0xab1c5ed5
DATA rounds<>+0x20(SB)/4, $0xd807aa98
DATA rounds<>+0x24(SB)/4, $0x12835b01
DATA rounds<>+0x28(SB)/4, $0x243185be
DATA rounds<>+0x2c(SB)/4, $0x550c7dc3
DATA rounds<>+0x30(SB)/4, $0x72be5d74
DATA rounds<>+0x34(SB)/4, $0x80deb1fe
DATA rounds<>+0x38(SB)/4, $0x9bdc06a7
DATA rounds<>+0x3c(SB)/4, $0xc19bf174
DATA rounds<>+0x40(SB)/4, $0xe49b69c1
DATA rounds<>+0x44(SB)/4, $0xefbe4786
DATA rounds<>+0x48(SB)/4, $0x0fc19dc6
DATA rounds<>+0x4c(SB)/4, $0x240ca1cc
DATA rounds<>+0x50(SB)/4, $0x2de92c6f
DATA rounds<>+0x54(SB)/4, $0x4a7484aa
DATA rounds<>+0x58(SB)/4, $0x5cb0a9dc
DATA rounds<>+0x5c(SB)/4, $0x76f988da
DATA rounds<>+0x60(SB)/4, $0x983e5152
DATA rounds<>+0x64(SB)/4, $0xa831c66d
DATA rounds<>+0x68(SB)/4, $0xb00327c8
DATA rounds<>+0x6c(SB)/4, $0xbf597fc7
DATA rounds<>+0x70(SB)/4, $0xc6e00bf3
DATA rounds<>+0x74(SB)/4, $0xd5a79147
DATA rounds<>+0x78(SB)/4, $0x06ca6351
DATA rounds<>+0x7c(SB)/4, $0x14292967
DATA rounds<>+0x80(SB)/4, $0x27b70a85
DATA rounds<>+0x84(SB)/4, $0x2e1b2138
DATA rounds<>+0x88(SB)/4, $0x4d2c6dfc
DATA rounds<>+0x8c(SB)/4, $0x53380d13
DATA rounds<>+0x90(SB)/4, $0x650a7354
DATA rounds<>+0x94(SB)/4, $0x766a0abb
DATA rounds<>+0x98(SB)/4, $0x81c2c92e
DATA rounds<>+0x9c(SB)/4, $0x92722c85
DATA rounds<>+0xa0(SB)/4, $0xa2bfe8a1
DATA rounds<>+0xa4(SB)/4, $0xa81a664b
DATA rounds<>+0xa8(SB)/4, $0xc24b8b70
DATA rounds<>+0xac(SB)/4, $0xc76c51a3
DATA rounds<>+0xb0(SB)/4, $0xd192e819
DATA rounds<>+0xb4(SB)/4, $0xd6990624
DATA rounds<>+0xb8(SB)/4, $0xf40e3585
DATA rounds<>+0xbc(SB)/4, $0x106aa070
DATA rounds<>+0xc0(SB)/4, $0x19a4c116
DATA rounds<>+0xc4(SB)/4, $0x1e376c08
DATA rounds<>+0xc8(SB)/4, $0x2748774c
DATA rounds<>+0xcc(SB)/4, $0x34b0bcb5
DATA rounds<>+0xd0(SB)/4, $0x391c0cb3
DATA rounds<>+0xd4(SB)/4, $0x4ed8aa4a
DATA rounds<>+0xd8(SB)/4, $0x5b9cca4f
DATA rounds<>+0xdc(SB)/4, $0x682e6ff3
DATA rounds<>+0xe0(SB)/4, $0x748f82ee
DATA rounds<>+0xe4(SB)/4, $0x78a5636f
DATA rounds<>+0xe8(SB)/4, $0x84c87814
DATA rounds<>+0xec(SB)/4, $0x8cc70208
DATA rounds<>+0xf0(SB)/4, $0x90befffa
DATA rounds<>+0xf4(SB)/4, $0xa4506ceb
DATA rounds<>+0xf8(SB)/4, $0xbef9a3f7
DATA rounds<>+0xfc(SB)/4, $0xc67178f2
GLOBL rounds<>(SB), RODATA|NOPTR, $256

// Turns the bytes of each word of four around.
DATA swap<>+0x00(SB)/8, $0x0405060700010203
DATA swap<>+0x08(SB)/8, $0x0c0d0e0f08090a0b
GLOBL swap<>(SB), RODATA|NOPTR, $16

// A state is ABEF in one register and CDGH in another, as SHA256RNDS2 has it.
#define LOAD(from, abef, cdgh) \
	MOVOU (from), X13; \
	MOVOU 16(from), cdgh; \
	PSHUFD $0xb1, X13, X13; \
	PSHUFD $0x1b, cdgh, cdgh; \
	MOVO X13, abef; \
	PALIGNR $8, cdgh, abef; \
	PBLENDW $0xf0, X13, cdgh

#define STORE(abef, cdgh, to) \
	PSHUFD $0x1b, abef, X13; \
	PSHUFD $0xb1, cdgh, cdgh; \
	MOVO X13, abef; \
	PBLENDW $0xf0, cdgh, abef; \
	PALIGNR $8, X13, cdgh; \
	MOVOU abef, (to); \
	MOVOU cdgh, 16(to)

#define MESSAGE(from, m0, m1, m2, m3) \
	MOVOU (from), m0; \
	MOVOU 16(from), m1; \
	MOVOU 32(from), m2; \
	MOVOU 48(from), m3; \
	PSHUFB X15, m0; \
	PSHUFB X15, m1; \
	PSHUFB X15, m2; \
	PSHUFB X15, m3

// Four rounds of one message, with constants in X14.
#define ROUNDS(m0, abef, cdgh) \
	MOVO X14, X0; \
	PADDL m0, X0; \
	SHA256RNDS2 X0, abef, cdgh; \
	PSHUFD $0x0e, X0, X0; \
	SHA256RNDS2 X0, cdgh, abef

// The words four rounds on, in place of m0.
#define SCHEDULE(m0, m1, m2, m3) \
	SHA256MSG1 m1, m0; \
	MOVO m3, X13; \
	PALIGNR $4, m2, X13; \
	PADDL X13, m0; \
	SHA256MSG2 m3, m0

#define BOTH(at, a0, a1, a2, a3, b0, b1, b2, b3) \
	MOVOU at(DX), X14; \
	ROUNDS(a0, X1, X2); \
	ROUNDS(b0, X7, X8); \
	SCHEDULE(a0, a1, a2, a3); \
	SCHEDULE(b0, b1, b2, b3)

#define LAST(at, a0, b0) \
	MOVOU at(DX), X14; \
	ROUNDS(a0, X1, X2); \
	ROUNDS(b0, X7, X8)

#define ADD(from, to) \
	MOVOU from, X13; \
	PADDL X13, to

// func twoBlocks(a, b *[8]uint32, p, q *byte, n int)
TEXT ·twoBlocks(SB), NOSPLIT, $64-40
	MOVQ a+0(FP), AX
	MOVQ b+8(FP), BX
	MOVQ p+16(FP), SI
	MOVQ q+24(FP), DI
	MOVQ n+32(FP), CX
	LEAQ rounds<>(SB), DX
	MOVOU swap<>(SB), X15
	LOAD(AX, X1, X2)
	LOAD(BX, X7, X8)

next:
	MOVOU X1, s0-64(SP)
	MOVOU X2, s1-48(SP)
	MOVOU X7, s2-32(SP)
	MOVOU X8, s3-16(SP)
	MESSAGE(SI, X3, X4, X5, X6)
	MESSAGE(DI, X9, X10, X11, X12)
	BOTH(0, X3, X4, X5, X6, X9, X10, X11, X12)
	BOTH(16, X4, X5, X6, X3, X10, X11, X12, X9)
	BOTH(32, X5, X6, X3, X4, X11, X12, X9, X10)
	BOTH(48, X6, X3, X4, X5, X12, X9, X10, X11)
	BOTH(64, X3, X4, X5, X6, X9, X10, X11, X12)
	BOTH(80, X4, X5, X6, X3, X10, X11, X12, X9)
	BOTH(96, X5, X6, X3, X4, X11, X12, X9, X10)
	BOTH(112, X6, X3, X4, X5, X12, X9, X10, X11)
	BOTH(128, X3, X4, X5, X6, X9, X10, X11, X12)
	BOTH(144, X4, X5, X6, X3, X10, X11, X12, X9)
	BOTH(160, X5, X6, X3, X4, X11, X12, X9, X10)
	BOTH(176, X6, X3, X4, X5, X12, X9, X10, X11)
	LAST(192, X3, X9)
	LAST(208, X4, X10)
	LAST(224, X5, X11)
	LAST(240, X6, X12)
	ADD(s0-64(SP), X1)
	ADD(s1-48(SP), X2)
	ADD(s2-32(SP), X7)
	ADD(s3-16(SP), X8)
	ADDQ $64, SI
	ADDQ $64, DI
	DECQ CX
	JNZ next
	STORE(X1, X2, AX)
	STORE(X7, X8, BX)
	RET
