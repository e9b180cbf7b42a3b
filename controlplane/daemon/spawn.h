#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/fd.h"

namespace phalanx::controlplane {

/// Starts a program in a process group of its own, so that neither a terminal's Ctrl-C nor our
/// death reaches it. Not in a session: to the kernel's autogroups that is another share of the
/// processor, and beside a session with many busy tasks such a worker waited for over a second. It
/// keeps our stderr (its log), reads `input`, and has no blocked signals.
[[nodiscard]] Expected<pid_t, Error> spawn_detached(const std::string& program,
                                                    const std::vector<std::string>& arguments,
                                                    const std::string& input = {});

/// A descriptor that becomes readable when the process ends. Race-free: names this process for
/// ever.
[[nodiscard]] Expected<Fd, Error> open_process(pid_t pid);

/// The same for one thread of a process. Linux knows it from 6.9 on; an Error before that. A number
/// that is another thread's by now must be found out otherwise.
[[nodiscard]] Expected<Fd, Error> open_thread(pid_t thread);

/// Lets a process that was killed take itself apart after everybody else: that is a millisecond or
/// two of the kernel's work. Only for a child that was not collected yet, whose number is still
/// its.
void let_die_last(pid_t child);

/// Collects the process if it was our child and has ended. Says how it ended ("signal 9", "exit
/// 2"), or is empty when that is not known.
[[nodiscard]] std::string reap(pid_t pid);

/// "phalanx-dataplane" beside our own program, or in the neighbouring folder of a build tree.
[[nodiscard]] std::string find_data_plane();

}  // namespace phalanx::controlplane
