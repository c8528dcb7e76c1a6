#include "gateway/openapi.h"

#include <boost/json.hpp>
#include <cctype>

#include "gateway/openapi_schemas.h"
#include "http/message.h"

namespace faas::gateway {
namespace {

namespace json = boost::json;

constexpr std::string_view kAnyMethod[] = {"GET",     "PUT",  "POST",  "DELETE",
                                           "OPTIONS", "HEAD", "PATCH", "TRACE"};

std::string lower(std::string_view text) {
  std::string made;
  for (const char c : text) made.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  return made;
}

// Calls `use` for each word.
template <class Use>
void for_words(std::string_view words, Use use) {
  while (!words.empty()) {
    const auto space = words.find(' ');
    use(words.substr(0, space));
    if (space == std::string_view::npos) return;
    words.remove_prefix(space + 1);
  }
}

// "get_system_function_name": one for each operation, made of what tells them apart.
std::string operation_id(std::string_view method, std::string_view path) {
  auto id = lower(method);
  for (const char c : path) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (c == '/') {
      id.push_back('_');
    } else if (plain) {
      id.push_back(c);
    }
  }
  return id;
}

// "FunctionStatus", "FunctionStatus[]" or "string[]".
json::object schema_of(std::string_view name) {
  if (name.ends_with("[]")) {
    return {{"type", "array"}, {"items", schema_of(name.substr(0, name.size() - 2))}};
  }
  if (name == "string") return {{"type", "string"}};
  return {{"$ref", "#/components/schemas/" + std::string(name)}};
}

json::object json_content(std::string_view schema) {
  return {{"application/json", {{"schema", schema_of(schema)}}}};
}

// "LogLine*": one object a line.
json::object content_of(std::string_view schema) {
  if (!schema.ends_with('*')) return json_content(schema);
  return {{"application/x-ndjson", {{"schema", schema_of(schema.substr(0, schema.size() - 1))}}}};
}

json::object text_answer(int status) {
  return {{"description", http::reason_of(status)},
          {"content", {{"text/plain", {{"schema", {{"type", "string"}}}}}}}};
}

json::array parameters_of(const ApiRoute& row, std::string_view path) {
  json::array parameters;
  if (path.find("{name}") != std::string_view::npos) {
    parameters.push_back(
        {{"name", "name"}, {"in", "path"}, {"required", true}, {"schema", {{"type", "string"}}}});
  }
  for_words(row.query, [&parameters](std::string_view name) {
    parameters.push_back({{"$ref", "#/components/parameters/" + std::string(name)}});
  });
  return parameters;
}

json::object responses_of(const ApiRoute& row) {
  json::object responses;
  const auto space = row.success.find(' ');
  const auto status = row.success.substr(0, space);
  json::object success{{"description", http::reason_of(std::stoi(std::string(status)))}};
  if (space != std::string_view::npos) success["content"] = content_of(row.success.substr(space + 1));
  responses[status] = success;
  const bool waits = row.query.find("wait") != std::string_view::npos;
  if (waits) {
    responses["200"] = {{"description", "with wait: it is ready"},
                        {"content", json_content("FunctionStatus")}};
  }
  for_words(row.errors, [&responses](std::string_view error) {
    responses[error] = text_answer(std::stoi(std::string(error)));
  });
  if (row.login) responses["401"] = text_answer(401);
  return responses;
}

json::object operation_of(const ApiRoute& row, std::string_view method, std::string_view path) {
  json::object operation{{"operationId", operation_id(method, path)}, {"summary", row.help}};
  if (auto parameters = parameters_of(row, path); !parameters.empty()) operation["parameters"] = parameters;
  if (!row.body.empty()) {
    operation["requestBody"] = {{"required", true}, {"content", json_content(row.body)}};
  }
  operation["responses"] = responses_of(row);
  if (row.login) operation["security"] = json::array{{{"basic", json::array()}}};
  return operation;
}

void add_row(json::object& paths, const ApiRoute& row) {
  for (const auto path : {row.path, row.also}) {
    if (path.empty()) continue;
    auto& item = paths[path];
    if (!item.is_object()) item.emplace_object();
    item.get_object()[lower(row.method)] = operation_of(row, row.method, path);
  }
}

}  // namespace

std::string print_openapi(std::span<const ApiRoute> rows, const ApiRoute& invoke) {
  json::object paths;
  for (const auto method : kAnyMethod) {
    auto row = invoke;
    row.method = method;
    add_row(paths, row);
  }
  for (const auto& row : rows) add_row(paths, row);
  const json::object document{
      {"openapi", "3.1.0"},
      {"info", {{"title", "faas"}, {"version", FAAS_VERSION}, {"license", {{"name", "MIT"}}}}},
      {"paths", std::move(paths)},
      {"components",
       {{"schemas", json::parse(kOpenapiSchemas)},
        {"parameters", json::parse(kOpenapiParameters)},
        {"securitySchemes", {{"basic", {{"type", "http"}, {"scheme", "basic"}}}}}}}};
  return json::serialize(document);
}

}  // namespace faas::gateway
