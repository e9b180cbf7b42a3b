#include "controlplane/cli/demo/huge_pages.h"

#include <fstream>
#include <utility>

namespace phalanx::cli {
namespace {

const std::string kPages = "/sys/kernel/mm/hugepages/hugepages-2048kB/";

std::uint64_t number(const char* name) {
  std::uint64_t value = 0;
  std::ifstream(kPages + name) >> value;
  return value;
}

std::uint64_t available() {
  const std::uint64_t free = number("free_hugepages");
  const std::uint64_t promised = number("resv_hugepages");
  return free > promised ? free - promised : 0;
}

void set_total(std::uint64_t pages) { std::ofstream(kPages + "nr_hugepages") << pages; }

}  // namespace

Expected<HugePages, Error> HugePages::get(std::uint64_t wanted) {
  HugePages out;
  const std::uint64_t free = available();
  if (free >= wanted) {
    out.told_ = std::to_string(free) + " of 2 MiB are free";
    return out;
  }
  out.before_ = number("nr_hugepages");
  const std::uint64_t total = out.before_ + wanted - free;
  set_total(total);
  out.raised_to_ = number("nr_hugepages");
  const std::uint64_t got = available();
  if (out.raised_to_ == out.before_) out.raised_to_ = 0;
  if (got < wanted) {
    return fail(Error{.code = ExitCode::Usage,
                      .attempted = "cannot get " + std::to_string(wanted) + " hugepages of 2 MiB",
                      .observed = std::to_string(got) + " are free, and the kernel gives no more",
                      .remedy = "as root: sysctl -w vm.nr_hugepages=" + std::to_string(total)});
  }
  out.told_ = "raised from " + std::to_string(out.before_) + " to " +
              std::to_string(out.raised_to_) + ", until the end";
  return out;
}

HugePages::HugePages(HugePages&& other) noexcept
    : told_(std::move(other.told_)),
      before_(other.before_),
      raised_to_(std::exchange(other.raised_to_, 0)) {}

HugePages::~HugePages() {
  if (raised_to_ == 0) return;
  const std::uint64_t added = raised_to_ - before_;
  const std::uint64_t total = number("nr_hugepages");
  if (total >= added) set_total(total - added);
}

}  // namespace phalanx::cli
