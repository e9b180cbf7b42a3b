#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "controlplane/cli/arguments.h"
#include "controlplane/cli/attachment.h"
#include "controlplane/cli/program.h"
#include "controlplane/cli/stop_signal.h"
#include "controlplane/cli/sub_lines.h"
#include "ipc/base/time_ns.h"

namespace phalanx::cli {
namespace {

constexpr const char* kFooter =
    "Output, one line each, of facts that all members agree on, so that subscribers print the "
    "same:\n"
    "  view SEQUENCE nodes ID ...   first when this client has joined, then at every new view\n"
    "  NODE:CLIENT TEXT             a message and who sent it\n"
    "  join|leave NODE:CLIENT       with --members\n"
    "In TEXT a backslash, control bytes and bytes that are no UTF-8 stand as \\\\, \\n, \\r, \\t, "
    "\\xHH.\n"
    "What only this client sees (data plane gone, attached again) goes to standard error.\n"
    "Ends with 0 by --count, --until-idle or a signal, with 1 when it was evicted for reading "
    "slowly.";

struct Options {
  std::string group;
  std::uint64_t count = 0;
  double until_idle = 0;
  bool members = false;
  bool shared = false;
};

class Subscriber {
 public:
  Subscriber(const Options& options, bool json)
      : options_(options), lines_(json ? SubLines::Format::Json : SubLines::Format::Text) {}

  ExitCode run(const Instance& instance, const Globals& globals) {
    phx_callbacks callbacks{};
    callbacks.message = [](void* self, phx_handle, const phx_message* m) {
      static_cast<Subscriber*>(self)->on_message(*m);
    };
    callbacks.group_view = [](void* self, phx_handle handle, const phx_group_view* v) {
      static_cast<Subscriber*>(self)->on_group_view(handle, *v);
    };
    callbacks.node_view = [](void* self, phx_handle, const phx_node_view* v) {
      static_cast<Subscriber*>(self)->on_node_view(*v);
    };
    callbacks.connection = [](void* self, phx_handle, const phx_connection* c) {
      static_cast<Subscriber*>(self)->on_connection(*c);
    };
    const auto attachment = attach(instance, callbacks, this,
                                   options_.shared ? PHX_DELIVERY_SHARED : PHX_DELIVERY_PRIVATE);
    if (!attachment) return report(attachment.error(), globals);
    phx_flow flow{};
    if (options_.shared && phx_flow_state(attachment->get(), &flow) == PHX_OK && flow.shared == 0) {
      std::fputs(
          "a ring of its own: there is no client.shared_log, or this user is not in "
          "client.shared_uids or shared_gids\n",
          stderr);
    }
    const phx_status joined =
        phx_join(attachment->get(), options_.group.data(), options_.group.size(), nullptr);
    if (joined != PHX_OK) {
      return report(library_error("cannot join the group " + options_.group, joined), globals);
    }
    const ExitCode code = loop(attachment->get());
    return refused_ == PHX_OK
               ? code
               : report(library_error("cannot join the group " + options_.group, refused_),
                        globals);
  }

 private:
  ExitCode loop(phx_handle handle) {
    TimeNs last = monotonic_now();
    const auto idle_ns = static_cast<TimeNs>(options_.until_idle * 1e9);
    while (!stop_requested() && !done() && !evicted_ && refused_ == PHX_OK) {
      constexpr int kPatienceMs = 100;
      const phx_status status = phx_dispatch(handle, PHX_DISPATCH_ALL, kPatienceMs);
      if (!lines_.flush(STDOUT_FILENO)) {
        const Error error = system_error("cannot write standard output", "write", errno);
        std::fputs(error.text().c_str(), stderr);
        return error.code;
      }
      if (status == PHX_OK)
        last = monotonic_now();
      else if (status != PHX_TRY_AGAIN)
        return ExitCode::Failed;
      if (idle_ns != 0 && monotonic_now() - last >= idle_ns) break;
    }
    if (!evicted_) return ExitCode::Fine;
    std::fputs(
        "error: evicted: this client read too slowly and left its groups\n"
        "  remedy:   read faster, or raise client.ring\n",
        stderr);
    return ExitCode::Failed;
  }

  [[nodiscard]] bool done() const { return options_.count != 0 && messages_ >= options_.count; }

  void on_message(const phx_message& m) {
    if (done()) return;
    ++messages_;
    lines_.message(m.node, m.client, {static_cast<const char*>(m.data), m.bytes});
  }

  void on_group_view(phx_handle handle, const phx_group_view& v) {
    if (done()) return;
    if (!joined_) {
      phx_member self{};
      if (phx_local_id(handle, &self) != PHX_OK) return;
      for (std::size_t i = 0; i < v.joined_count && !joined_; ++i) {
        joined_ = v.joined[i].node == self.node && v.joined[i].client == self.client;
      }
      if (!joined_) return;
      lines_.view(view_sequence_, view_nodes_);
    }
    if (!options_.members) return;
    for (std::size_t i = 0; i < v.left_count; ++i) {
      lines_.member("leave", v.left[i].node, v.left[i].client);
    }
    for (std::size_t i = 0; i < v.joined_count; ++i) {
      lines_.member("join", v.joined[i].node, v.joined[i].client);
    }
  }

  void on_node_view(const phx_node_view& v) {
    if (done() || (v.flags & PHX_FLAG_TRANSITIONAL) != 0) return;
    view_sequence_ = v.sequence;
    view_nodes_.assign(v.members, v.members + v.member_count);
    if (joined_) lines_.view(view_sequence_, view_nodes_);
  }

  void on_connection(const phx_connection& c) {
    if (c.event == PHX_EVENT_DISCONNECTED) {
      joined_ = false;
      std::fputs("the data plane is gone; attaching again\n", stderr);
    } else if (c.event == PHX_EVENT_ATTACHED) {
      std::fputs("attached again\n", stderr);
    } else if (c.event == PHX_EVENT_EVICTED) {
      evicted_ = true;
    } else if (c.event == PHX_EVENT_REFUSED) {
      refused_ = c.status;
    }
  }

  const Options& options_;
  SubLines lines_;
  std::uint64_t messages_ = 0;
  std::uint64_t view_sequence_ = 0;
  std::vector<std::uint32_t> view_nodes_;
  bool joined_ = false;
  bool evicted_ = false;
  phx_status refused_ = PHX_OK;
};

}  // namespace

void add_sub(Command& root, const Globals& globals) {
  const auto options = std::make_shared<Options>();
  root.add("sub", "Print the messages of a group and the views, as they are delivered.")
      .required_text("GROUP", options->group, "The group's name")
      .number("--count", options->count, {0, ~std::uint64_t{0} >> 1},
              "End after so many messages; 0: never")
      .seconds("--until-idle", options->until_idle, "End when nothing came for so long")
      .flag("--members", options->members, "Print who joins and leaves the group, too")
      .flag("--shared", options->shared,
            "Read the log that such clients of this node share, if this user may")
      .footer(kFooter)
      .run([&globals, options] {
        catch_stop_signals();
        const auto instance = find_instance(globals);
        if (!instance) return report(instance.error(), globals);
        return Subscriber(*options, globals.json).run(*instance, globals);
      });
}

}  // namespace phalanx::cli
