// What an exchange tells the access log.

#include "http/exchange.hpp"
#include "http/server_core.hpp"

#include <tare/http/access_entry.hpp>

#include <utility>

namespace tare::http::detail {

void exchange::begin_log(std::string_view method, std::string_view target) {
  if (!server().options().on_response || note() != nullptr) return;
  attached_ = tare::detail::to_link(access_note::make(method, target, connection_.peer()).release());
}

access_note::owner exchange::take_note() noexcept {
  access_note* const taken = note();
  if (taken != nullptr) attached_ = tare::detail::no_link;
  return access_note::owner(taken);
}

std::error_code exchange::why_incomplete() const noexcept {
  if (stage_ == stage::complete) return {};
  if (shed_) return std::make_error_code(std::errc::not_enough_memory);
  if (client_left_) return std::make_error_code(std::errc::connection_aborted);
  if (timed_out_) return std::make_error_code(std::errc::timed_out);
  const access_note* const log = note();
  return log != nullptr && log->error() ? log->error() : make_error_code(errc::truncated);
}

void exchange::log(const std::exception_ptr& broken) noexcept {
  const bool was_cancelled = timed_out_ || client_left_;
  const std::exception_ptr thrown = broken || was_cancelled ? broken : guard_.error();
  const std::error_code error =
      broken && stage_ != stage::complete ? std::make_error_code(std::errc::not_enough_memory) : why_incomplete();
  if (const access_note* const log = note(); log != nullptr) {
    const bool has_begun = log->has_sent() && stage_ != stage::open;
    log->report(server(), !has_begun ? 0 : upgraded_ ? 101U : status_, error, thrown);
    (void)take_note();
  } else if (broken && server().options().on_response) {
    // There was no memory for the note. The parser may still have the head.
    const request_head* const head = intake_ ? &intake_->reader.head() : nullptr;
    report_access(server(), {.method = head != nullptr ? head->method : std::string_view(),
                             .target = head != nullptr ? head->target : std::string_view(),
                             .peer = connection_.peer(),
                             .error = error,
                             .exception = thrown});
  }
}

}  // namespace tare::http::detail
