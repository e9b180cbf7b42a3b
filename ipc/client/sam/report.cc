#include "ipc/client/sam/report.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

namespace phalanx::client::sam {
namespace {

/// What a line says of an event; nullptr: nothing is said.
const char* text_of(phx_sam_event event) noexcept {
  switch (event) {
    case PHX_SAM_STARTED:
    case PHX_SAM_ENDED:
    case PHX_SAM_FAILED:
      return nullptr;
    case PHX_SAM_LATE:
      return "sent no health check in time: warned";
    case PHX_SAM_UNHEALTHY:
      return "is unhealthy: warned";
    case PHX_SAM_MARKED:
      return "marked itself failed: killed";
    case PHX_SAM_KILLED:
      return "did not end in time: killed";
    case PHX_SAM_NOT_FORKED:
      return "cannot be forked";
    case PHX_SAM_WAITING:
      return "waits for quorum: phalanx quorum says why";
    case PHX_SAM_QUORUM_LOST:
      return "runs without quorum: warned";
  }
  return nullptr;
}

void write_line(const phx_sam_report& r) noexcept {
  char line[200];
  int length = std::snprintf(line, sizeof line, "phx_sam: instance %u pid %d ", r.instance, r.pid);
  const auto add = [&](const char* format, auto... values) {
    if (length < 0 || static_cast<unsigned>(length) >= sizeof line) return;
    length += std::snprintf(line + length, sizeof line - static_cast<unsigned>(length), format,
                            values...);
  };
  if (r.event != PHX_SAM_FAILED) {
    add("%s", text_of(r.event));
  } else if (WIFSIGNALED(r.wait_status)) {
    add("failed: ended by signal %d", WTERMSIG(r.wait_status));
  } else {
    add("failed: exit status %d", WEXITSTATUS(r.wait_status));
  }
  if (r.restart_ms >= 0) add("; next one in %d ms", r.restart_ms);
  add("%s", "\n");
  // One write, so that lines of several supervisors do not mix. Nobody to tell if it fails.
  if (length > 0 && write(STDERR_FILENO, line, static_cast<unsigned>(length)) < 0) return;
}

}  // namespace

void report(const phx_sam_options& options, const phx_sam_report& what) noexcept {
  if (options.report != nullptr) {
    options.report(options.context, &what);
  } else if (what.event == PHX_SAM_FAILED || text_of(what.event) != nullptr) {
    write_line(what);
  }
}

}  // namespace phalanx::client::sam
