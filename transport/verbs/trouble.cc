#include "transport/verbs/trouble.h"

#include <cstdio>
#include <cstring>

#include "transport/verbs/calls.h"

namespace phalanx::transport::verbs {
namespace {

/// As ibv_wc_status_str() has them, which needs the library.
const char* name_of(ibv_wc_status status) {
  constexpr std::array kNames = {
      "SUCCESS",          "LOC_LEN_ERR",       "LOC_QP_OP_ERR",     "LOC_EEC_OP_ERR",
      "LOC_PROT_ERR",     "WR_FLUSH_ERR",      "MW_BIND_ERR",       "BAD_RESP_ERR",
      "LOC_ACCESS_ERR",   "REM_INV_REQ_ERR",   "REM_ACCESS_ERR",    "REM_OP_ERR",
      "RETRY_EXC_ERR",    "RNR_RETRY_EXC_ERR", "LOC_RDD_VIOL_ERR",  "REM_INV_RD_REQ_ERR",
      "REM_ABORT_ERR",    "INV_EECN_ERR",      "INV_EEC_STATE_ERR", "FATAL_ERR",
      "RESP_TIMEOUT_ERR", "GENERAL_ERR"};
  const auto at = static_cast<std::size_t>(status);
  return at < kNames.size() ? kNames[at] : "unknown";
}

const char* name_of(ibv_event_type type) {
  if (type == IBV_EVENT_CQ_ERR) return "CQ_ERR: a completion queue overran";
  if (type == IBV_EVENT_QP_FATAL) return "QP_FATAL";
  if (type == IBV_EVENT_QP_REQ_ERR) return "QP_REQ_ERR";
  if (type == IBV_EVENT_QP_ACCESS_ERR) return "QP_ACCESS_ERR";
  if (type == IBV_EVENT_DEVICE_FATAL) return "DEVICE_FATAL: the device is gone";
  return "of another kind";
}

}  // namespace

void Trouble::took_place() noexcept {
  ++count_;
  at_ = calls::now();
}

void Trouble::broke() noexcept {
  broke_ = true;
  took_place();
}

void Trouble::refused(const char* what, int error) noexcept {
  const char* name = strerrorname_np(error);
  (void)std::snprintf(text_.data(), text_.size(), "%s: %s", what, name != nullptr ? name : "?");
  broke();
}

void Trouble::completed(const char* what, const ibv_wc& done) noexcept {
  (void)std::snprintf(text_.data(), text_.size(), "%s completed with %s, vendor error 0x%x", what,
                      name_of(done.status), done.vendor_err);
  broke();
}

void Trouble::event(ibv_event_type type) noexcept {
  (void)std::snprintf(text_.data(), text_.size(), "event %s", name_of(type));
  broke();
}

void Trouble::mismatch(std::uint32_t node, const char* what, std::uint32_t theirs,
                       std::uint32_t ours) noexcept {
  if (broke_) return;
  (void)std::snprintf(text_.data(), text_.size(), "node %u announces %s %u, here it is %u", node,
                      what, theirs, ours);
  took_place();
}

}  // namespace phalanx::transport::verbs
