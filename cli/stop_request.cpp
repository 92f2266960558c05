#include "cli/stop_request.hpp"

#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>

namespace tare::cli {
namespace {

sigset_t stopping_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, number);
  return set;
}

}  // namespace

stop_request::stop_request() {
  const sigset_t set = stopping_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signals_ = base::file_descriptor(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

stop_request::~stop_request() {
  // The process then exits with the status of exit_status(), not by a signal that is delivered now.
  (void)exit_status();
  const sigset_t set = stopping_signals();
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

int stop_request::exit_status() {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    if (arrived_ == 0) arrived_ = static_cast<int>(info.ssi_signo);
  }
  constexpr int killed_by = 128;
  return arrived_ == 0 ? 0 : killed_by + arrived_;
}

}  // namespace tare::cli
