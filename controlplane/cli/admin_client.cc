#include "controlplane/cli/admin_client.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "controlplane/json_text.h"
#include "controlplane/watch/daemon_socket.h"

namespace phalanx::cli {
namespace {

constexpr std::size_t kAnswerBytesMax = 16 << 20;

}  // namespace

Expected<nlohmann::json, Error> ask(const std::string& directory, const nlohmann::json& request,
                                    TimeNs patience) {
  const std::string path = directory + "/admin.sock";
  const watch::DaemonSocket socket{.path = path,
                                   .attempted = "cannot ask the control plane at " + path,
                                   .permitted = "run as root or as the daemon's user"};
  const auto socket_fd = watch::connect_to(socket, patience);
  if (!socket_fd) return fail(socket_fd.error());
  const std::string text = json_text(request);
  if (send(socket_fd->get(), text.data(), text.size(), MSG_NOSIGNAL) < 0) {
    return fail(watch::no_answer(socket, "send", errno));
  }
  const ssize_t size = recv(socket_fd->get(), nullptr, 0, MSG_PEEK | MSG_TRUNC);
  if (size < 0) return fail(watch::no_answer(socket, "recv", errno));
  if (size == 0 || static_cast<std::size_t>(size) > kAnswerBytesMax) {
    return fail(Error{.code = ExitCode::Failed,
                      .attempted = socket.attempted,
                      .observed = size == 0 ? "it closed the connection" : "its answer is too long",
                      .remedy = "see its log"});
  }
  std::string answer(static_cast<std::size_t>(size), '\0');
  if (recv(socket_fd->get(), answer.data(), answer.size(), 0) != size) {
    return fail(watch::no_answer(socket, "recv", errno));
  }
  nlohmann::json parsed = nlohmann::json::parse(answer, nullptr, false);
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
