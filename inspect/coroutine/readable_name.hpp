#pragma once

// Names of functions and types in readable form.

#include <string>
#include <string_view>

namespace tare::inspect {

/// Of a function's symbol: "serve(tare::net::stream, std::string)". Not mangled: as it is.
[[nodiscard]] std::string readable_function(std::string_view linkage_name);

/// The name of a function's symbol as it stands at its declaration in the source: "serve". Empty for a lambda.
[[nodiscard]] std::string declared_name(std::string_view linkage_name);

/// Takes the noise out of a demangled name: default template arguments, inline namespaces, what stands for
/// std::string.
[[nodiscard]] std::string without_noise(std::string text);

}  // namespace tare::inspect
