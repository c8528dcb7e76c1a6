// What the JSON of deployments, statuses and namespaces have in common.
#pragma once

#include <boost/json/object.hpp>
#include <map>
#include <string>
#include <string_view>

#include "model/function_spec.h"

namespace faas {

/// Adds the deployment's fields to `object`, in the order OpenFaaS prints them, leaving out what is empty.
/// `name_key` is "service" in a deployment and "name" in a status.
void print_spec_fields(const FunctionSpec& spec, std::string_view name_key, boost::json::object& object);

/// In the memory of what it becomes a part of.
[[nodiscard]] boost::json::object print_texts(const std::map<std::string, std::string>& texts,
                                              boost::json::storage_ptr memory = {});

}  // namespace faas
