#include "tests/unit/steady_state/census.h"

#include <dlfcn.h>
#include <linux/prctl.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/ucontext.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <new>

#if defined(__has_feature)
#define PHX_HAS_FEATURE(x) __has_feature(x)
#else
#define PHX_HAS_FEATURE(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    PHX_HAS_FEATURE(address_sanitizer) || PHX_HAS_FEATURE(thread_sanitizer)
#define PHX_SANITIZED true
#else
#define PHX_SANITIZED false
#endif

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_OFF 0
#define PR_SYS_DISPATCH_ON 1
#endif

namespace {

constexpr char kAllow = 0;
constexpr char kBlock = 1;

// The kernel reads this byte at every system call of the thread.
thread_local volatile char selector = kAllow;
thread_local bool counting = false;
thread_local phalanx::testing::Census census;

/// A system call that was held back: it is counted, and done after all. From here on the thread's
/// calls pass, since returning from here is one.
void on_system_call(int /*number*/, siginfo_t* info, void* context) {
  selector = kAllow;
  const int before = errno;
  census.system_calls = 1;
  census.system_call = info->si_syscall;
  auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  const long result =
      syscall(registers[REG_RAX], registers[REG_RDI], registers[REG_RSI], registers[REG_RDX],
              registers[REG_R10], registers[REG_R8], registers[REG_R9]);
  registers[REG_RAX] = result < 0 ? -errno : result;
  errno = before;
}

const char* hand_over_system_calls() noexcept {
  struct sigaction action {};
  action.sa_sigaction = &on_system_call;
  action.sa_flags = SA_SIGINFO;
  if (sigaction(SIGSYS, &action, nullptr) != 0) return "sigaction refuses SIGSYS";
  if (prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0L, 0L, &selector) != 0) {
    return "this kernel hands no system calls over to programs";
  }
  prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0L, 0L, 0L);
  return nullptr;
}

}  // namespace

namespace phalanx::testing {

const char* why_no_census() noexcept {
  if (PHX_SANITIZED) return "the sanitizer has taken malloc()";
  static const char* const why = hand_over_system_calls();
  return why;
}

Count::Count() noexcept {
  census = {};
  prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0L, 0L, &selector);
  counting = true;
  selector = kBlock;
}

Census Count::end() noexcept {
  selector = kAllow;
  if (counting) prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0L, 0L, 0L);
  counting = false;
  return census;
}

}  // namespace phalanx::testing

#if !PHX_SANITIZED

// The C library's own, under other names.
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);
}

namespace {

void* counted(void* memory) noexcept {
  if (counting) ++census.allocations;
  return memory;
}

template <class Function>
Function* real(std::atomic<Function*>& known, const char* name) noexcept {
  Function* found = known.load(std::memory_order_relaxed);
  if (found == nullptr) {
    found = reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
    known.store(found, std::memory_order_relaxed);
  }
  if (counting) ++census.locks;
  return found;
}

}  // namespace

extern "C" {

void* malloc(std::size_t size) noexcept { return counted(__libc_malloc(size)); }
void* calloc(std::size_t count, std::size_t size) noexcept {
  return counted(__libc_calloc(count, size));
}
void* realloc(void* old, std::size_t size) noexcept { return counted(__libc_realloc(old, size)); }
void* memalign(std::size_t alignment, std::size_t size) noexcept {
  return counted(__libc_memalign(alignment, size));
}
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  return counted(__libc_memalign(alignment, size));
}
int posix_memalign(void** out, std::size_t alignment, std::size_t size) noexcept {
  *out = counted(__libc_memalign(alignment, size));
  return *out == nullptr ? ENOMEM : 0;
}
void free(void* memory) noexcept {
  if (memory != nullptr) (void)counted(memory);
  __libc_free(memory);
}

#define PHX_COUNTED_LOCK(name, type)             \
  int name(type* lock) noexcept {                \
    static std::atomic<int (*)(type*)> known;    \
    return real<int(type*)>(known, #name)(lock); \
  }
PHX_COUNTED_LOCK(pthread_mutex_lock, pthread_mutex_t)
PHX_COUNTED_LOCK(pthread_mutex_trylock, pthread_mutex_t)
PHX_COUNTED_LOCK(pthread_rwlock_rdlock, pthread_rwlock_t)
PHX_COUNTED_LOCK(pthread_rwlock_wrlock, pthread_rwlock_t)
PHX_COUNTED_LOCK(pthread_spin_lock, pthread_spinlock_t)

}  // extern "C"

#endif
