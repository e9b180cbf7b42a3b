#include "perf/replica/bank.h"

#include <algorithm>
#include <cstring>

namespace phalanx::perf {
namespace {

struct Operation {
  std::uint64_t account = 0;
  std::int64_t amount = 0;
};

}  // namespace

Bank::Bank(const Options& options)
    : options_(options), balance_(options.accounts), drawn_(monotonic_now() | 1) {
  phx_replica_options c{};
  c.struct_bytes = sizeof c;
  c.context = this;
  c.group = "bank";
  c.group_bytes = 4;
  c.instance = options_.instance.name.c_str();
  c.runtime_directory = options_.instance.runtime_directory.c_str();
  c.callbacks.snapshot = [](void* context, phx_replica_writer* out) {
    const auto& balance = static_cast<Bank*>(context)->balance_;
    return phx_replica_write(out, balance.data(), balance.size() * sizeof balance[0]) == PHX_OK ? 0
                                                                                                : 1;
  };
  c.callbacks.restore = [](void* context, const void* data, std::size_t bytes, std::uint32_t) {
    auto& balance = static_cast<Bank*>(context)->balance_;
    if (data == nullptr) return std::fill(balance.begin(), balance.end(), 0), 0;
    if (bytes != balance.size() * sizeof balance[0]) return 1;
    std::memcpy(balance.data(), data, bytes);
    return 0;
  };
  c.callbacks.apply = [](void* context, const phx_replica_operation* told) -> std::int64_t {
    auto& self = *static_cast<Bank*>(context);
    Operation operation;
    if (told->bytes != sizeof operation) return 2;
    std::memcpy(&operation, told->data, sizeof operation);
    std::int64_t& balance = self.balance_[operation.account % self.balance_.size()];
    if (balance + operation.amount < 0) return 1;
    balance += operation.amount;
    return 0;
  };
  c.callbacks.merge = [](void* context, const phx_replica_operation* told) {
    auto& self = *static_cast<Bank*>(context);
    Operation operation;
    if (told->bytes != sizeof operation) return 1;
    std::memcpy(&operation, told->data, sizeof operation);
    self.balance_[operation.account % self.balance_.size()] += operation.amount;
    return 0;
  };
  c.callbacks.report = [](void* context, const phx_replica_report* told) {
    auto& self = *static_cast<Bank*>(context);
    if (told->event == PHX_REPLICA_LIVE) self.live_at = monotonic_now();
  };
  opened_at = monotonic_now();
  opened_ = phx_replica_open(&c, &replica_);
  if (opened_ == PHX_OK) thread_ = std::jthread([this](const std::stop_token& s) { run(s); });
}

Bank::~Bank() {
  if (thread_.joinable()) {
    thread_.request_stop();
    thread_.join();
  }
  phx_replica_close(replica_);
}

void Bank::fill() {
  if (!options_.submits || paused_) {
    paced_at_ = monotonic_now();
    return;
  }
  std::uint64_t most = 1024;
  if (options_.operations_per_s > 0) {
    const TimeNs now = monotonic_now();
    due_ = std::min(due_ + static_cast<double>(now - paced_at_) / 1e9 * options_.operations_per_s,
                    1024.0);
    paced_at_ = now;
    most = static_cast<std::uint64_t>(due_);
    due_ -= static_cast<double>(most);
  }
  for (; most > 0; --most) {
    drawn_ = drawn_ * 6364136223846793005ull + 1442695040888963407ull;
    const Operation operation{drawn_ >> 33, static_cast<std::int64_t>(drawn_ >> 60) - 4};
    if (phx_replica_submit(replica_, &operation, sizeof operation, 0) != PHX_OK) return;
  }
}

void Bank::publish(TimeNs now) {
  phx_replica_status status{};
  (void)phx_replica_state(replica_, &status);
  if (status.applied + status.refused != applied_) {
    if (applied_at_ != 0 && !paused_) gap_max = std::max(gap_max.load(), now - applied_at_);
    applied_ = status.applied + status.refused;
    applied_at_ = now;
  }
  if (status.meetings != seen_) joined_nodes_at = now;
  seen_ = status.meetings;
  live = status.live != 0;
  operations = status.operations;
  digest = status.digest;
  pending = status.pending;
  merged = status.merged;
  members = status.members;
  meetings = status.meetings;
}

void Bank::run(const std::stop_token& stop) {
  paced_at_ = monotonic_now();
  while (!stop.stop_requested()) {
    fill();
    const bool waits = !options_.submits || paused_ || options_.operations_per_s > 0;
    (void)phx_replica_dispatch(replica_, waits ? 1 : 0);
    publish(monotonic_now());
  }
}

}  // namespace phalanx::perf
