#!/usr/bin/env bash
# Plan or apply the stack of an environment: ship.sh plan|apply|grant FOLDER
#
# A plan holds what is secret in it and in the state, so it stays on its machine. A deployment therefore plans twice, where
# it is shown and where it is applied. SHOWN_PLAN, the digest of what was shown, keeps anything else from being applied.
set -euo pipefail
environment=${DATALAKE_TARGET:-local}
[[ $environment =~ ^(dev|ci|prod)$ ]] || { echo "Set DATALAKE_TARGET to dev, ci or prod, not $environment." >&2; exit 2; }
export AWS_REGION=${AWS_REGION:-us-east-1} TF_IN_AUTOMATION=1 TF_INPUT=0
export TF_VAR_environment=$environment TF_VAR_region=$AWS_REGION
plans=$PWD/target/terraform/$environment
cd "$2"

variables=()
[[ ! -e $environment.tfvars ]] || variables=("-var-file=$environment.tfvars")

terraform init -reconfigure ${TERRAFORM_STATE_BUCKET:+-backend-config="bucket=$TERRAFORM_STATE_BUCKET"} \
    -backend-config="key=data-lake/$environment.tfstate" -backend-config="region=$AWS_REGION" > /dev/null

# Once dbt has built the tables, they stay built.
TF_VAR_lake_is_built=$(terraform output -raw lake_is_built 2> /dev/null) || TF_VAR_lake_is_built=false
export TF_VAR_lake_is_built

plan() {
    mkdir -p "$plans"
    terraform plan -lock=false -out="$plans/plan" "${variables[@]}" > "$plans/log" || { cat "$plans/log"; return 1; }
    terraform show -no-color "$plans/plan" > "$plans/plan.txt"
    digest=$(sha256sum < "$plans/plan.txt" | cut -d ' ' -f 1)
}

case $1 in
    plan)
        plan
        cat "$plans/plan.txt"
        if [[ -n ${GITHUB_STEP_SUMMARY:-} ]]; then
            { echo "## Plan of $environment"; echo '```'; cat "$plans/plan.txt"; echo '```'; } >> "$GITHUB_STEP_SUMMARY"
        fi
        echo "digest=$digest" >> "${GITHUB_OUTPUT:-/dev/stdout}"
        ;;
    apply)
        if [[ -n ${SHOWN_PLAN:-} ]]; then
            plan
            [[ $digest == "$SHOWN_PLAN" ]] || {
                cat "$plans/plan.txt"
                echo "This is not the plan that was shown: something changed since. Run the deployment anew." >&2
                exit 1
            }
        fi
        [[ -e $plans/plan ]] || { echo "There is no plan of $environment: make terraform-plan, and read it." >&2; exit 1; }
        terraform apply "$plans/plan"
        rm "$plans/plan"
        ;;
    grant)
        TF_VAR_lake_is_built=true terraform apply -auto-approve "${variables[@]}"
        ;;
esac
