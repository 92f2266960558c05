#include "tracing/otlp.hpp"

#include <tare/detail/random.hpp>
#include <tare/error.hpp>
#include <tare/http/client.hpp>
#include <tare/http/request.hpp>
#include <tare/http/response.hpp>
#include <tare/retry.hpp>
#include <tare/select.hpp>
#include <tare/sleep.hpp>
#include <tare/tracing.hpp>

#include <algorithm>
#include <cmath>
#include <expected>
#include <new>
#include <stdexcept>
#include <string_view>

namespace tare {

namespace {

std::string text_of(const std::exception_ptr& error) {
  if (detail::is_cancellation(error)) return "cancelled";
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& known) {
    return known.what();
  } catch (...) {
    return "an exception of unknown type";
  }
}

bool is_chosen(double part) noexcept {
  constexpr std::size_t all = 1U << 24U;
  return static_cast<double>(detail::random_below(all)) < part * static_cast<double>(all);
}

void check(const tracer_options& options) {
  const char* wrong = nullptr;
  if (options.service_name.empty()) wrong = "service_name is empty";
  if (!(options.sampled >= 0 && options.sampled <= 1)) wrong = "sampled is not between 0 and 1";
  if (options.max_queued == 0 || options.max_batch == 0) wrong = "max_queued or max_batch is 0";
  if (wrong != nullptr) throw std::invalid_argument(std::string("tare::tracer_options: ") + wrong);
}

}  // namespace

tracer::tracer(tracer_options options) : options_((check(options), std::move(options))), queue_(options_.max_queued) {}

void tracer::close() noexcept {
  closing_ = true;
  queue_.close();
}

tracer::span_record tracer::begin(const http::trace_context& parent, std::string name) {
  return {.context = parent.child(),
          .parent = parent,
          .name = std::move(name),
          .began = std::chrono::system_clock::now(),
          .ended = {}};
}

void tracer::end(span_record ended, const std::exception_ptr& error) noexcept {
  try {
    ended.ended = std::chrono::system_clock::now();
    if (error) ended.error = text_of(error);
    if (queue_.try_send(ended)) return;
  } catch (const std::bad_alloc&) {
    // Without memory it is dropped like one that does not fit.
    drop(1);
    return;
  }
  drop(1);
}

http::handler tracer::traced(http::handler inner) {
  return [this, inner = std::move(inner)](http::request& request, http::response& response) {
    return serve(inner, request, response);
  };
}

task<> tracer::serve(const http::handler& inner, http::request& request, http::response& response) {
  std::optional<http::trace_context> parent;
  if (const auto field = request.fields().find("traceparent")) parent = http::parse_traceparent(*field);
  const bool sampled = parent ? parent->sampled : is_chosen(options_.sampled);
  const http::trace_context context = parent ? parent->child() : http::trace_context::make(sampled);
  if (!sampled) {
    co_await http::current_trace.with(context, inner(request, response));
    co_return;
  }
  span_record record{.context = context,
                     .parent = parent,
                     .name = std::string(request.method()),
                     .is_server = true,
                     .began = std::chrono::system_clock::now(),
                     .ended = {}};
  record.attributes.emplace_back("http.request.method", request.method());
  record.attributes.emplace_back("url.path", request.path());
  std::exception_ptr error;
  try {
    co_await http::current_trace.with(context, inner(request, response));
  } catch (...) {
    error = std::current_exception();
  }
  end(std::move(record), error);
  if (error) std::rethrow_exception(error);
}

task<std::vector<tracer::span_record>> tracer::next_batch() {
  std::vector<span_record> batch;
  auto first = co_await queue_.receive();
  if (!first) co_return batch;
  batch.push_back(std::move(*first));
  const auto until = now() + options_.interval;
  while (batch.size() < options_.max_batch) {
    auto got = co_await select_in_order(queue_.receive(), sleep_until(until));
    if (got.index() == 1) break;
    auto& next = std::get<0>(got);
    if (!next) break;  // closed: this is the last batch
    batch.push_back(std::move(*next));
  }
  co_return batch;
}

task<> tracer::run() {
  for (;;) {
    std::vector<span_record> batch = co_await next_batch();
    if (batch.empty()) co_return;
    auto sending = send(std::move(batch));
    co_await std::move(sending);
  }
}

task<> tracer::send(std::vector<span_record> batch) {
  const std::size_t spans = batch.size();
  const std::string body = detail::otlp_json(options_.service_name, batch);
  batch = {};
  http::client client({.call_timeout = options_.send_timeout});
  // The value is the status; the error is one that may pass.
  auto post = [&]() -> task<std::expected<unsigned, unsigned>> {
    auto posting = client.post(options_.url, "application/json", body);
    auto got = co_await std::move(posting);
    if (!got) co_return std::unexpected(0U);
    const unsigned status = got->status();
    (void)co_await got->read_all();
    const bool may_pass = status == 429 || status == 502 || status == 503 || status == 504;
    if (may_pass) co_return std::unexpected(status);
    co_return status;
  };
  std::expected<unsigned, unsigned> outcome = std::unexpected(0U);
  std::exception_ptr error;
  try {
    const retry_policy policy{.first_delay = std::chrono::seconds(1), .max_time = options_.retry_for};
    auto trying = retry(policy, post, [this](unsigned /*status*/) { return !closing_; });
    outcome = co_await std::move(trying);
  } catch (...) {
    error = std::current_exception();
  }
  if (outcome && *outcome / 100 == 2) {
    sent_.fetch_add(spans, std::memory_order_relaxed);
  } else {
    drop(spans);
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace tare
