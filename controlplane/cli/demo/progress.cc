#include "controlplane/cli/demo/progress.h"

#include <unistd.h>

#include <cstdio>

namespace phalanx::cli {
namespace {

bool on_terminal() {
  static const bool terminal = isatty(STDERR_FILENO) != 0;
  return terminal;
}

}  // namespace

void show_progress(const std::string& text) {
  if (on_terminal()) std::fprintf(stderr, "\r\033[K  %s", text.c_str());
}

void show_step(const std::string& text) {
  std::fprintf(stderr, "%s%s\n", on_terminal() ? "\r\033[K" : "", text.c_str());
}

}  // namespace phalanx::cli
