#include "http/exchange.hpp"

#include "http/server_core.hpp"

#include <tare/detail/misuse.hpp>

#include <exception>
#include <string>
#include <utility>

namespace tare::http::detail {

namespace {

task<> fail_handler(std::exception_ptr error) {
  std::rethrow_exception(std::move(error));
  co_return;
}

/// A handler may throw before its coroutine exists.
task<> call_handler(const handler& handle, request& request, response& to) {
  try {
    return handle(request, to);
  } catch (...) {
    return fail_handler(std::current_exception());
  }
}

}  // namespace

void exchange::enter() noexcept {
  server().enter(*this);
  entered_ = true;
}

bool exchange::start_handler(tare::detail::wait_state& waiting) {
  task<> body = call_handler(server().answer(), *this, *this);
  server().begin_handler(*this);
  return guard_.start(waiting, std::move(body));
}

exchange::~exchange() {
  drop_intake();
  if (hands_over_) {
    (void)take_handed_over();
  } else {
    (void)take_note();
  }
  if (guard_.running()) server().end_handler();
  if (entered_) server().leave(*this);
}

void exchange::head_is_discarded(const char* call) noexcept {
  const std::string message = "tare::http::request::" + std::string(call) +
                              ": the head has been discarded; take what you need before request::discard";
  tare::detail::misuse(message.c_str());
}

void exchange::discard_head() noexcept {
  head_.reset();
  (void)account();
}

served exchange::take_handed_over() noexcept {
  hands_over_ = false;
  return served(*tare::detail::from_link<lasting_work>(std::exchange(attached_, tare::detail::no_link)));
}

void exchange::next() noexcept {
  (void)take_note();
  share_.release();
  admitted_bytes_ = reserved_bytes_ = body_bytes_ = 0;
  admitted_ = true;
  head_.reset();
  fields_.reset();
  if (intake_) intake_->next(server().limits());
  if (!has_input()) drop_intake();
  status_ = 200;
  stage_ = stage::open;
  is_http_1_0_ = is_head_ = false;
  until_close_ = chunked_ = counted_ = continue_due_ = body_complete_ = head_limited_ = false;
  timed_out_ = client_left_ = ignores_peer_ = false;
}

bool exchange::begin_to_linger() noexcept {
  drop_intake();
  head_.reset();
  fields_.reset();
  admitted_bytes_ = reserved_bytes_ = body_bytes_ = 0;
  server().leave(*this);
  entered_ = false;
  if (server().budget() == nullptr) return true;
  share_.keep_from_reserve();
  share_.shrink_to(frames_bytes);
  return static_cast<bool>(share_);
}

}  // namespace tare::http::detail
