#include "controlplane/cli/admin_client.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "controlplane/admin_protocol.h"
#include "controlplane/json_text.h"
#include "controlplane/watch/daemon_socket.h"
#include "ipc/include/phalanx/ipc_client.h"

namespace phalanx::cli {
namespace {

/// A connection to the control plane.
class Connection {
 public:
  explicit Connection(const std::string& path, TimeNs patience)
      : socket_{.path = path,
                .attempted = "cannot ask the control plane at " + path,
                .permitted = "run as root or as the daemon's user"},
        patience_ms_(static_cast<int>(patience / kMillisecond)) {}
  ~Connection() {
    if (handle_ != 0) (void)phx_ipc_disconnect(handle_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  [[nodiscard]] Expected<void, Error> open();
  /// The text of the answer, all its pieces.
  [[nodiscard]] Expected<std::string, Error> ask(const std::string& request);

 private:
  [[nodiscard]] Expected<void, Error> call(AdminCall call, const void* request, std::size_t bytes,
                                           std::string& reply);
  [[nodiscard]] Error error_of(const char* what, phx_status status) const;

  watch::DaemonSocket socket_;
  int patience_ms_;
  phx_ipc_handle handle_ = 0;
};

Error Connection::error_of(const char* what, phx_status status) const {
  switch (static_cast<int>(status)) {
    case PHX_NOT_RUNNING:
      return watch::no_answer(socket_, what, ECONNREFUSED);
    case PHX_TRY_AGAIN:
    case PHX_TIMED_OUT:
      return watch::no_answer(socket_, what, EAGAIN);
    case PHX_ACCESS:
      // The socket may be used, but who made it is not believed: see own_server below.
      if (access(socket_.path.c_str(), W_OK) == 0) return watch::not_trusted(socket_);
      return watch::no_answer(socket_, what, EACCES);
    default:
      return {.code = ExitCode::Failed,
              .attempted = socket_.attempted,
              .observed = phx_strerror(status),
              .remedy = "see its log; is it of this version? phalanx version"};
  }
}

Expected<void, Error> Connection::open() {
  const phx_ipc_options options{.struct_bytes = sizeof options,
                                .request_ring_bytes = kAdminRingBytes,
                                .response_ring_bytes = kAdminRingBytes,
                                .dispatch_ring_bytes = kAdminRingBytes,
                                .message_bytes_max = kAdminMessageBytesMax,
                                .connect_timeout_ms = patience_ms_,
                                .wait = PHX_IPC_SLEEP,
                                // Whoever else listens there took the place of a daemon.
                                .own_server = geteuid() != 0};
  const phx_status status =
      phx_ipc_connect(socket_.path.c_str(), kAdminService, &options, &handle_);
  if (status == PHX_BAD_NAME) {
    return fail(Error{.code = ExitCode::Usage,
                      .attempted = "cannot reach " + socket_.path,
                      .observed = "the path is longer than a socket's name may be",
                      .remedy = "set a shorter PHX_RUNTIME_DIR"});
  }
  if (status != PHX_OK) return fail(error_of("connect", status));
  return {};
}

Expected<void, Error> Connection::call(AdminCall call, const void* request, std::size_t bytes,
                                       std::string& reply) {
  reply.resize(kAdminMessageBytesMax);
  std::size_t got = 0;
  const phx_status status = phx_ipc_call(handle_, static_cast<std::uint32_t>(call), request, bytes,
                                         reply.data(), reply.size(), &got, patience_ms_);
  if (status != PHX_OK) return fail(error_of("call", status));
  reply.resize(got);
  return {};
}

Expected<std::string, Error> Connection::ask(const std::string& request) {
  std::string reply;
  if (auto called = call(AdminCall::Ask, request.data(), request.size(), reply); !called) {
    return fail(std::move(called.error()));
  }
  AdminAnswer head;
  if (reply.size() < sizeof head) return fail(error_of("call", PHX_VERSION));
  std::memcpy(&head, reply.data(), sizeof head);
  std::string text = reply.substr(sizeof head);
  while (text.size() < head.bytes && head.bytes <= kAdminAnswerBytesMax) {
    const AdminMore more{.number = head.number, .offset = text.size()};
    if (auto called = call(AdminCall::More, &more, sizeof more, reply); !called) {
      return fail(std::move(called.error()));
    }
    if (reply.empty()) break;
    text += reply;
  }
  if (text.size() != head.bytes) return fail(error_of("call", PHX_VERSION));
  return text;
}

}  // namespace

Expected<nlohmann::json, Error> ask(const std::string& directory, const nlohmann::json& request,
                                    TimeNs patience) {
  const std::string path = directory + "/admin.sock";
  Connection connection(path, patience);
  if (auto opened = connection.open(); !opened) return fail(std::move(opened.error()));
  auto answer = connection.ask(json_text(request));
  if (!answer) return fail(std::move(answer.error()));
  nlohmann::json parsed = nlohmann::json::parse(*answer, nullptr, false);
  if (!parsed.is_object()) {
    return fail(Error{.attempted = "cannot read the answer of " + path,
                      .observed = "it is no JSON object",
                      .remedy = "is the daemon of this version? phalanx version"});
  }
  if (const auto error = parsed.find("error"); error != parsed.end() && error->is_object()) {
    return fail(Error{.code = static_cast<ExitCode>(error->value("code", 1)),
                      .attempted = "the control plane refused",
                      .observed = error->value("what", std::string("no reason given"))});
  }
  return parsed;
}

}  // namespace phalanx::cli
