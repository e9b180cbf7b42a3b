#pragma once

/// Assertions that stay on. PHX_CHECK guards an invariant of our own code and aborts when it does
/// not hold; it is never used on bytes from a network, an application, a file or a device.
/// PHX_DCHECK is for costly checks: compiled in for debug, simulator and fuzz builds only.

namespace phalanx {

/// Writes "file:line: what" to stderr without allocating, then aborts. Safe in any thread.
[[noreturn]] void check_failed(const char* file, int line, const char* what) noexcept;

}  // namespace phalanx

#define PHX_CHECK(condition)                         \
  (__builtin_expect(static_cast<bool>(condition), 1) \
       ? void()                                      \
       : ::phalanx::check_failed(__FILE__, __LINE__, #condition))

#ifdef PHX_DEBUG_CHECKS
#define PHX_DCHECK(condition) PHX_CHECK(condition)
#else
#define PHX_DCHECK(condition) ((void)sizeof(condition))
#endif
