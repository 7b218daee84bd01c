// The bcryptprimitives.dll of a wine that has none: the one function of it that Rust's standard library calls.
#include <windows.h>
#include <ntsecapi.h>

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE bytes, SIZE_T size) { return RtlGenRandom(bytes, size); }
