#include "model/namespaces.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>

#include "model/json.h"
#include "model/names.h"
#include "model/spec_json.h"

namespace faas {

namespace json = boost::json;

Result<NamespaceSpec> parse_namespace(std::string_view text, std::string_view path_name) {
  TRY_ASSIGN(const auto body, parse_json_object(text));
  const JsonFields fields(body);
  NamespaceSpec spec;
  TRY_ASSIGN(spec.name, fields.text("name"));
  if (spec.name.empty()) spec.name = path_name;
  TRY(check_name("name", spec.name));
  if (!path_name.empty() && spec.name != path_name) {
    return invalid_request(fmt::format("name is \"{}\", but the path says \"{}\"", spec.name, path_name));
  }
  TRY_ASSIGN(spec.labels, fields.texts("labels"));
  TRY_ASSIGN(spec.annotations, fields.texts("annotations"));
  TRY(check_labels("labels", spec.labels));
  TRY(check_labels("annotations", spec.annotations));
  return spec;
}

std::string print_namespace(const NamespaceSpec& spec) {
  json::object object;
  object["name"] = spec.name;
  if (spec.labels) object["labels"] = print_texts(*spec.labels);
  if (spec.annotations) object["annotations"] = print_texts(*spec.annotations);
  return json::serialize(object);
}

std::string print_namespace_names(const std::vector<NamespaceSpec>& specs) {
  json::array names;
  for (const auto& spec : specs) names.emplace_back(spec.name);
  return json::serialize(names);
}

}  // namespace faas
