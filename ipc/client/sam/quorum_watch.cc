#include "ipc/client/sam/quorum_watch.h"

namespace phalanx::client::sam {
namespace {

/// How often somebody who waits for daemons that are not there looks for them.
constexpr TimeNs kTryInterval = 250 * kMillisecond;
/// For daemons that are there and start their data plane; meanwhile the supervisor does nothing.
constexpr int kAttachMs = 20;
constexpr std::size_t kRingBytes = std::size_t{64} * 1024;

}  // namespace

void QuorumWatch::set(bool quorate) noexcept {
  quorate_ = quorate;
  lost_ = lost_ || !quorate;
}

void QuorumWatch::on_quorum(void* context, phx_handle /*handle*/, const phx_quorum_view* view) {
  static_cast<QuorumWatch*>(context)->set(view->quorate != 0);
}

void QuorumWatch::on_connection(void* context, phx_handle /*handle*/,
                                const phx_connection* connection) {
  // Whatever ends or follows an attachment: the view, if there is one, is told after it.
  if (connection->event == PHX_EVENT_DISCONNECTED || connection->event == PHX_EVENT_EVICTED) {
    static_cast<QuorumWatch*>(context)->set(false);
  }
}

void QuorumWatch::step(const char* instance, TimeNs now) noexcept {
  if (fd_ < 0 && now >= next_try_) {
    next_try_ = now + kTryInterval;
    phx_options options{};
    options.struct_bytes = sizeof options;
    options.callbacks.quorum = on_quorum;
    options.callbacks.connection = on_connection;
    options.context = this;
    options.instance = instance;
    options.submit_ring_bytes = options.delivery_ring_bytes = kRingBytes;
    options.attach_timeout_ms = kAttachMs;
    if (phx_initialize(&options, &handle_) == PHX_OK && phx_fd(handle_, &fd_) != PHX_OK) {
      (void)phx_finalize(handle_);
      fd_ = -1;
    }
  }
  if (fd_ >= 0) (void)phx_dispatch(handle_, PHX_DISPATCH_ALL, 0);
}

}  // namespace phalanx::client::sam
