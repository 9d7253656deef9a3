#include "textflag.h"

// See blockByWords for what the masks of a bracket are.

DATA quotes16<>+0(SB)/8, $0x2222222222222222
DATA quotes16<>+8(SB)/8, $0x2222222222222222
GLOBL quotes16<>(SB), RODATA|NOPTR, $16

DATA slants16<>+0(SB)/8, $0x5c5c5c5c5c5c5c5c
DATA slants16<>+8(SB)/8, $0x5c5c5c5c5c5c5c5c
GLOBL slants16<>(SB), RODATA|NOPTR, $16

DATA kept16<>+0(SB)/8, $0xd9d9d9d9d9d9d9d9 // all but bracketBits
DATA kept16<>+8(SB)/8, $0xd9d9d9d9d9d9d9d9
GLOBL kept16<>(SB), RODATA|NOPTR, $16

DATA brackets16<>+0(SB)/8, $0x5959595959595959
DATA brackets16<>+8(SB)/8, $0x5959595959595959
GLOBL brackets16<>(SB), RODATA|NOPTR, $16

// SIXTEEN looks at 16 bytes: quotes to R8, brackets to R9, backslashes are added to X3.
#define SIXTEEN(at) \
	MOVOU   at(SI), X0 \
	MOVO    X0, X1     \
	MOVO    X0, X2     \
	PCMPEQB X12, X0    \
	PCMPEQB X13, X1    \
	PAND    X14, X2    \
	PCMPEQB X15, X2    \
	POR     X1, X3     \
	PMOVMSKB X0, R8    \
	PMOVMSKB X2, R9

// func block(b *[blockSize]byte) (quote, bracket uint64, plain bool)
TEXT ·block(SB), NOSPLIT, $0-25
	MOVQ  b+0(FP), SI
	MOVOU quotes16<>(SB), X12
	MOVOU slants16<>(SB), X13
	MOVOU kept16<>(SB), X14
	MOVOU brackets16<>(SB), X15
	PXOR  X3, X3
	SIXTEEN(0)
	MOVQ  R8, AX
	MOVQ  R9, BX
	SIXTEEN(16)
	SHLQ  $16, R8
	SHLQ  $16, R9
	ORQ   R8, AX
	ORQ   R9, BX
	SIXTEEN(32)
	SHLQ  $32, R8
	SHLQ  $32, R9
	ORQ   R8, AX
	ORQ   R9, BX
	SIXTEEN(48)
	SHLQ  $48, R8
	SHLQ  $48, R9
	ORQ   R8, AX
	ORQ   R9, BX
	MOVQ  AX, quote+8(FP)
	MOVQ  BX, bracket+16(FP)
	PMOVMSKB X3, CX
	TESTL CX, CX
	SETEQ plain+24(FP)
	RET
