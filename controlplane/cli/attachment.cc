#include "controlplane/cli/attachment.h"

#include "config/config.h"

namespace phalanx::cli {
namespace {

/// The library's numbers may grow, so there is a default here.
ExitCode exit_code(unsigned status) {
  switch (status) {
    case PHX_NOT_RUNNING:
      return ExitCode::NotRunning;
    case PHX_ACCESS:
      return ExitCode::Permission;
    case PHX_TRY_AGAIN:
      return ExitCode::TimeOut;
    case PHX_NAME_TOO_LONG:
    case PHX_NAME_EMPTY:
      return ExitCode::Usage;
    default:
      return ExitCode::Failed;
  }
}

std::string remedy(unsigned status) {
  switch (status) {
    case PHX_NOT_RUNNING:
      return "start phalanx-controlplane, or name another --instance";
    case PHX_ACCESS:
      return "list this user in client.uids or one of its groups in client.gids; in a directory of "
             "/tmp, see whose the socket is";
    case PHX_TRY_AGAIN:
      return "the data plane does not answer: phalanx status";
    case PHX_LIMIT:
      return "raise client.max";
    case PHX_VERSION:
      return "install one version of the library and the daemons";
    default:
      return "";
  }
}

}  // namespace

Error library_error(std::string attempted, phx_status status) {
  return {.code = exit_code(status),
          .attempted = std::move(attempted),
          .observed = std::string(phx_strerror(status)) + " (" + phx_status_name(status) + ")",
          .remedy = remedy(status)};
}

Expected<Attachment, Error> attach(const Instance& instance, const phx_callbacks& callbacks,
                                   void* context, phx_delivery delivery) {
  phx_options options{};
  options.struct_bytes = sizeof options;
  options.callbacks = callbacks;
  options.context = context;
  options.delivery = delivery;
  options.instance = instance.name.c_str();
  // The library finds the default by itself: in a directory that anybody may have made it then
  // believes only root's or this user's own daemon.
  if (instance.runtime_directory != config::default_runtime_directory())
    options.runtime_directory = instance.runtime_directory.c_str();
  phx_handle handle = 0;
  const phx_status status = phx_initialize(&options, &handle);
  if (status == PHX_OK) return Attachment(handle);
  return fail(library_error(
      "cannot attach to instance " + instance.name + " in " + instance.runtime_directory, status));
}

}  // namespace phalanx::cli
