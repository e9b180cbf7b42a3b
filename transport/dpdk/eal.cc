#include "transport/dpdk/eal.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <sched.h>

#include <filesystem>

#include "transport/dpdk/capture.h"
#include "transport/dpdk/hugepages.h"

namespace phalanx::transport::dpdk {
namespace {

/// EAL's own tables and one small pool; more is taken page by page.
constexpr std::uint64_t kHugeBytesMin = 16u << 20;

bool started = false;
bool silenced = false;
bool msix = true;

/// EAL's own words, without the advice to read its manual.
Error init_error(const std::string& said, const std::string& command) {
  return {
      .code = ExitCode::Usage,
      .attempted = "cannot start DPDK (" + command + ")",
      .observed = said.empty() ? rte_strerror(rte_errno) : said,
      .remedy = "mend transport.eal and transport.port; `phalanx config explain transport.eal`"};
}

/// EAL makes one although it puts nothing into it.
void remove_runtime_directory() {
  const std::filesystem::path made = rte_eal_get_runtime_dir();
  std::error_code in_use;
  std::filesystem::remove(made, in_use);
  std::filesystem::remove(made.parent_path(), in_use);
}

// Drivers tell of every peer that comes and goes; the transport counts these itself.
void quieten(const std::string& extra) {
  silenced = extra.find("--log-level") == std::string::npos;
  if (silenced) rte_log_set_level_pattern("*", RTE_LOG_CRIT);
}

}  // namespace

Expected<void, Error> start_eal(const EalOptions& options) {
  if (started) return {};
  auto arguments = eal_arguments(options);
  if (!arguments) return fail(std::move(arguments.error()));
  if (arguments->hugepages) {
    if (auto there = check_hugepages(kHugeBytesMin); !there) return there;
  }
  std::string program = "phalanx-dataplane";
  std::string command = "EAL arguments:";
  std::vector<char*> argv{program.data()};
  for (std::string& word : arguments->words) {
    command += " " + word;
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  cpu_set_t before;
  const bool known = sched_getaffinity(0, sizeof before, &before) == 0;
  std::string said;
  int taken = 0;
  {
    const Capture capture;
    taken = rte_eal_init(static_cast<int>(argv.size()) - 1, argv.data());
    if (taken < 0) said = capture.last_lines({"EAL: ", "phalanx-dataplane: "});
  }
  if (known) sched_setaffinity(0, sizeof before, &before);
  remove_runtime_directory();
  if (taken < 0) return fail(init_error(said, command));
  quieten(options.extra);
  msix = options.extra.find("--vfio-intr=") == std::string::npos ||
         options.extra.find("--vfio-intr=msix") != std::string::npos;
  started = true;
  return {};
}

bool has_hugepages() noexcept { return rte_eal_has_hugepages() != 0; }

bool uses_msix() noexcept { return msix; }

DriversSpeak::DriversSpeak() noexcept {
  if (silenced) rte_log_set_level_pattern("*", RTE_LOG_ERR);
}

DriversSpeak::~DriversSpeak() {
  if (silenced) rte_log_set_level_pattern("*", RTE_LOG_CRIT);
}

void register_thread() noexcept {
  if (rte_lcore_id() == LCORE_ID_ANY) (void)rte_thread_register();
}

}  // namespace phalanx::transport::dpdk
