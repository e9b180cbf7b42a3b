#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "controlplane/cli/arguments.h"
#include "controlplane/cli/attachment.h"
#include "controlplane/cli/line_splitter.h"
#include "controlplane/cli/program.h"
#include "controlplane/cli/stop_signal.h"

namespace phalanx::cli {
namespace {

constexpr const char* kFooter =
    "Each line of standard input is a message, without its end of line; an empty line is an empty\n"
    "message, and a last line need not end. A line longer than cluster.max_message is skipped and\n"
    "told on standard error; the command then ends with 1.\n"
    "Ends with 0 when every line was delivered to this client itself, which is when its place in "
    "the\n"
    "order is settled. When the data plane dies, lines that were accepted and not yet delivered "
    "may\n"
    "be lost: the rest is still sent, the number is told, and the command ends with 1.";

class Publisher {
 public:
  ExitCode run(const std::string& group, const Instance& instance, const Globals& globals) {
    phx_callbacks callbacks{};
    callbacks.message = [](void* self, phx_handle, const phx_message* m) {
      auto& publisher = *static_cast<Publisher*>(self);
      if (m->node == publisher.self_.node && m->client == publisher.self_.client) {
        ++publisher.delivered_;
      }
    };
    callbacks.connection = [](void* self, phx_handle handle, const phx_connection* c) {
      static_cast<Publisher*>(self)->on_connection(handle, *c);
    };
    const auto attachment = attach(instance, callbacks, this);
    if (!attachment) return report(attachment.error(), globals);
    handle_ = attachment->get();
    phx_status status = phx_join(handle_, group.data(), group.size(), &group_);
    if (status != PHX_OK) {
      return report(library_error("cannot join the group " + group, status), globals);
    }
    phx_limit_values limits{};
    phx_limits(handle_, &limits);
    phx_local_id(handle_, &self_);
    LineSplitter lines(limits.message_bytes_max);
    status = feed(lines);
    while (status == PHX_OK && delivered_ + lost_ < sent_) status = wait_for_events();
    if (stop_requested()) status = PHX_OK;  // What was sent is told; nothing more was wanted.
    if (refused_ != PHX_OK) status = refused_;
    if (status != PHX_OK) return report(library_error("cannot send to " + group, status), globals);
    return finish(lines, globals);
  }

 private:
  /// Reads standard input to its end and sends it. A blocked ring is waited for here, so that
  /// what is read never piles up.
  phx_status feed(LineSplitter& lines) {
    int fd = -1;
    if (const phx_status status = phx_fd(handle_, &fd); status != PHX_OK) return status;
    std::vector<char> buffer(64 * 1024);
    const auto send = [this](std::string_view line) { return send_line(line); };
    while (!stop_requested()) {
      phx_status status = phx_dispatch(handle_, PHX_DISPATCH_ALL, 0);
      if (status != PHX_OK && status != PHX_TRY_AGAIN) return status;
      pollfd waits[] = {{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0},
                        {.fd = fd, .events = POLLIN, .revents = 0}};
      if (poll(waits, 2, 100) <= 0 || waits[0].revents == 0) continue;
      const ssize_t got = read(STDIN_FILENO, buffer.data(), buffer.size());
      if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (got < 0) unread_ = errno;
      if (got <= 0) return lines.finish(send);
      status = lines.add({buffer.data(), static_cast<std::size_t>(got)}, send);
      if (status != PHX_OK) return status;
    }
    return PHX_OK;
  }

  phx_status send_line(std::string_view line) {
    const iovec part{.iov_base = const_cast<char*>(line.data()), .iov_len = line.size()};
    while (!stop_requested()) {
      const phx_status status = phx_multicast(handle_, group_, &part, 1, PHX_AGREED);
      if (status == PHX_OK) ++sent_;
      if (status != PHX_TRY_AGAIN) return status;
      if (const phx_status waited = wait_for_events(); waited != PHX_OK) return waited;
    }
    return PHX_OK;
  }

  phx_status wait_for_events() {
    if (stop_requested()) return PHX_TRY_AGAIN;
    if (refused_ != PHX_OK) return refused_;
    const phx_status status = phx_dispatch(handle_, PHX_DISPATCH_ALL, 100);
    return status == PHX_TRY_AGAIN ? PHX_OK : status;
  }

  void on_connection(phx_handle handle, const phx_connection& c) {
    if (c.event == PHX_EVENT_DISCONNECTED || c.event == PHX_EVENT_EVICTED) {
      lost_ = sent_ - delivered_;
      if (c.event == PHX_EVENT_EVICTED) refused_ = PHX_EVICTED;
    } else if (c.event == PHX_EVENT_ATTACHED) {
      phx_local_id(handle, &self_);
    } else if (c.event == PHX_EVENT_REFUSED) {
      refused_ = c.status;
    }
  }

  ExitCode finish(const LineSplitter& lines, const Globals& globals) const {
    if (unread_ != 0) {
      return report(system_error("cannot read standard input", "read", unread_), globals);
    }
    if (globals.json) {
      std::printf("{\"version\":1,\"sent\":%lu,\"delivered\":%lu,\"skipped\":%lu}\n", sent_,
                  delivered_, lines.skipped());
    }
    for (const std::uint64_t number : lines.skipped_lines()) {
      std::fprintf(stderr, "error: line %lu is longer than a message may be; skipped\n", number);
    }
    const std::uint64_t open = sent_ - delivered_;
    if (open != 0) {
      std::fprintf(stderr, "error: %lu of %lu lines are not known to be delivered\n", open, sent_);
    }
    return open == 0 && lines.skipped() == 0 ? ExitCode::Fine : ExitCode::Failed;
  }

  phx_handle handle_ = 0;
  phx_group group_ = 0;
  phx_member self_{};
  std::uint64_t sent_ = 0;
  std::uint64_t delivered_ = 0;
  std::uint64_t lost_ = 0;  ///< Accepted by a data plane that died before they were delivered.
  phx_status refused_ = PHX_OK;
  int unread_ = 0;  ///< Why standard input could not be read to its end.
};

}  // namespace

void add_pub(Command& root, const Globals& globals) {
  const auto group = std::make_shared<std::string>();
  root.add("pub", "Send each line of standard input; end when all are delivered.")
      .required_text("GROUP", *group, "The group's name")
      .footer(kFooter)
      .run([&globals, group] {
        catch_stop_signals();
        const auto instance = find_instance(globals);
        if (!instance) return report(instance.error(), globals);
        return Publisher().run(*group, *instance, globals);
      });
}

}  // namespace phalanx::cli
