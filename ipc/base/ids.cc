#include "ipc/base/ids.h"

namespace phalanx {
namespace {

std::string hex(const BootId& boot, std::size_t count) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    out += kDigits[boot.bytes[i] >> 4];
    out += kDigits[boot.bytes[i] & 15];
  }
  return out;
}

}  // namespace

std::string to_string(const ViewId& view) {
  return std::to_string(view.sequence) + "." + std::to_string(view.representative) + "." +
         hex(view.boot, 4);
}

std::string to_string(const BootId& boot) { return hex(boot, boot.bytes.size()); }

}  // namespace phalanx
