"""Compares the Terraform files and the SAM template in examples/aws with its policies, and with each other."""

import json
from pathlib import Path

import hcl2
import yaml

AWS = Path("examples/aws")


class Template(yaml.SafeLoader):
    """Reads a CloudFormation template; functions such as `!Sub` become their argument."""


def argument(loader, _, node):
    kinds = {yaml.ScalarNode: loader.construct_scalar, yaml.SequenceNode: loader.construct_sequence}
    construct = kinds.get(type(node), loader.construct_mapping)
    return construct(node) if construct == loader.construct_scalar else construct(node, deep=True)


Template.add_multi_constructor("!", argument)

sam = yaml.load((AWS / "sam/template.yaml").read_text(), Template)
terraform = {name: hcl2.loads((AWS / f"terraform/{name}.tf").read_text()) for name in ("main", "variables", "outputs")}
policy = json.loads((AWS / "iam-policy.json").read_text())
cors = json.loads((AWS / "cors.json").read_text())["CORSRules"][0]
lifecycle = json.loads((AWS / "lifecycle.json").read_text())["Rules"][0]


def plain(value):
    """Removes the quotes that the HCL parser keeps around keys and texts."""
    if isinstance(value, dict):
        return {plain(key): plain(inner) for key, inner in value.items() if not key.startswith("__")}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value.strip('"') if isinstance(value, str) else value


def resources(kind, name):
    found = [plain(block) for block in terraform["main"]["resource"]]
    return [block[kind][name] for block in found if kind in block and name in block[kind]]


def actions(statements):
    as_list = lambda value: value if isinstance(value, list) else [value]
    return {statement["Sid"]: sorted(as_list(statement["Action"])) for statement in statements}


# Permissions: Terraform reads the file itself.
assert "iam-policy.json" in (AWS / "terraform/main.tf").read_text()
granted = sam["Resources"]["StorePolicy"]["Properties"]["PolicyDocument"]["Statement"]
assert actions(granted) == actions(policy["Statement"]), granted
for ours, theirs in zip(granted, policy["Statement"], strict=True):
    resource = ours["Resource"].replace("arn:${AWS::Partition}:", "arn:aws:")
    resource = resource.replace("${BucketName}", "BUCKET").replace("${Prefix}", "PREFIX")
    assert resource == theirs["Resource"], resource
    assert ("Condition" in ours) == ("Condition" in theirs)

# CORS and lifecycle rules.
bucket = sam["Resources"]["Bucket"]["Properties"]
rule = bucket["CorsConfiguration"]["CorsRules"][0]
[hcl_rule] = resources("aws_s3_bucket_cors_configuration", "store")[0]["cors_rule"]
assert rule["AllowedMethods"] == hcl_rule["allowed_methods"] == cors["AllowedMethods"]
assert rule["AllowedHeaders"] == hcl_rule["allowed_headers"] == cors["AllowedHeaders"]
assert rule["ExposedHeaders"] == hcl_rule["expose_headers"] == cors["ExposeHeaders"]
assert "VersioningConfiguration" not in bucket and not resources("aws_s3_bucket_versioning", "store")
days = lifecycle["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"]
[hcl_lifecycle] = resources("aws_s3_bucket_lifecycle_configuration", "store")[0]["rule"]
assert hcl_lifecycle["abort_incomplete_multipart_upload"][0]["days_after_initiation"] == days
assert bucket["LifecycleConfiguration"]["Rules"][0]["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] == days

# Functions: one per service; only the admin function knows the secret, and gets the schedule.
functions = {name: value["Properties"] for name, value in sam["Resources"].items() if value["Type"] == "AWS::Serverless::Function"}
assert {function["Handler"] for function in functions.values()} == {"public", "admin"}
assert "Environment" not in functions["PublicFunction"] and "Events" not in functions["PublicFunction"]
assert "SGSEND_ADMIN_KEY_SECRET" in functions["AdminFunction"]["Environment"]["Variables"]
assert sam["Globals"]["Function"]["Runtime"] == resources("aws_lambda_function", "service")[0]["runtime"] == "provided.al2023"
urls = [value for value in sam["Resources"].values() if value.get("Properties", {}).get("InvokedViaFunctionUrl")]
assert len(urls) == 2 and resources("aws_lambda_permission", "invoke")[0]["invoked_via_function_url"] is True
print("the AWS templates agree with the policies")
