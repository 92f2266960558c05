#pragma once

// Spans as the JSON of OTLP/HTTP (https://opentelemetry.io/docs/specs/otlp/, "JSON Protobuf Encoding").

#include <tare/tracing.hpp>

#include <string>
#include <vector>

namespace tare::detail {

/// Text that is not UTF-8 is replaced. Throws std::bad_alloc.
[[nodiscard]] std::string otlp_json(const std::string& service_name, const std::vector<recorded_span>& spans);

}  // namespace tare::detail
