#include "transport/dpdk/hugepages.h"

#include <charconv>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace phalanx::transport::dpdk {
namespace {

struct Pages {
  std::uint64_t kib = 0;  ///< Size of one.
  std::uint64_t total = 0;
  std::uint64_t available = 0;
};

std::uint64_t number_in(const std::filesystem::path& path) {
  std::uint64_t value = 0;
  std::ifstream(path) >> value;
  return value;
}

std::vector<Pages> all_sizes() {
  std::vector<Pages> out;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/sys/kernel/mm/hugepages", error)) {
    const std::string name = entry.path().filename().string();  // hugepages-2048kB
    Pages pages;
    const std::size_t dash = name.find('-');
    if (dash == std::string::npos) continue;
    std::from_chars(name.data() + dash + 1, name.data() + name.size(), pages.kib);
    if (pages.kib == 0) continue;
    const std::uint64_t free = number_in(entry.path() / "free_hugepages");
    const std::uint64_t promised = number_in(entry.path() / "resv_hugepages");
    pages.total = number_in(entry.path() / "nr_hugepages");
    pages.available = free > promised ? free - promised : 0;
    out.push_back(pages);
  }
  return out;
}

}  // namespace

Expected<void, Error> check_hugepages(std::uint64_t bytes) {
  std::string seen;
  std::uint64_t total_of_2m = 0;
  for (const Pages& pages : all_sizes()) {
    if (pages.available * pages.kib * 1024 >= bytes) return {};
    seen += (seen.empty() ? "" : ", ") + std::to_string(pages.available) + " free of " +
            std::to_string(pages.total) + " of " + std::to_string(pages.kib) + " KiB";
    if (pages.kib == 2048) total_of_2m = pages.total;
  }
  const std::uint64_t needed = (bytes + (2u << 20) - 1) >> 21;
  return fail(
      Error{.code = ExitCode::Usage,
            .attempted = "cannot get " + std::to_string(bytes >> 20) + " MiB in hugepages for DPDK",
            .observed = seen.empty() ? "this kernel has no hugepages" : "there are " + seen,
            .remedy = std::to_string(needed) +
                      " of 2 MiB are needed for this node: sysctl -w vm.nr_hugepages=" +
                      std::to_string(total_of_2m + needed) +
                      "; or do without, slower: transport.eal = \"--no-huge\""});
}

}  // namespace phalanx::transport::dpdk
