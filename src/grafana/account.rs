//! The accounts that monctl uses in a Grafana: check a login, create a service account with few permissions and one
//! token, and change the administrator's password.

use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{GrafanaClient, is_bad_token};
use crate::error::{Error, Result};
use crate::secret::Secret;

/// The service account for daily work.
const ACCOUNT: &str = "monctl";
/// An Editor may read data sources, and write folders, dashboards and annotations. Daily work needs no more.
const ROLE: &str = "Editor";
/// Prefix of its tokens' names, which are unique within an organization of Grafana.
const TOKEN: &str = "monctl-";

#[derive(Deserialize)]
struct Account {
    id: i64,
    name: String,
    role: String,
}

#[derive(Deserialize)]
struct Token {
    id: i64,
    name: String,
}

impl GrafanaClient {
    /// Whether Grafana accepts the login. A wrong password is tried once.
    ///
    /// # Errors
    /// When Grafana does not answer.
    pub async fn is_accepted(&self) -> Result<bool> {
        Ok(self.check().await?.is_none())
    }

    /// Why Grafana rejects the login; `None` if it accepts it. A wrong password is tried once.
    ///
    /// # Errors
    /// When Grafana does not answer.
    pub async fn check(&self) -> Result<Option<Error>> {
        // With anonymous access enabled, other addresses treat wrong credentials like no credentials. Grafana 9 answers
        // 404 here to a valid token, since a token belongs to a service account.
        let answer = self.http.get("/api/user").await?;
        let refused = answer.status == 401 || is_bad_token(&answer);
        Ok(refused.then(|| self.refusal(&answer, "accept the login")))
    }

    /// Creates a token of monctl's own service account, and the account itself with the first token. Deletes its
    /// earlier tokens. Needs an administrator's login.
    ///
    /// # Errors
    /// When Grafana refuses one of the steps or does not answer.
    pub async fn make_token(&self) -> Result<Secret> {
        let account = self.account().await?;
        let tokens = format!("/api/serviceaccounts/{}/tokens", account.id);
        let before: Vec<Token> = match self.read(&tokens).await? {
            Some(answer) => answer.json()?,
            None => Vec::new(),
        };
        let name = format!("{TOKEN}{}", &Secret::random()?.expose()[..8]);
        let answer = self.http.post(&tokens, &json!({"name": name})).await?;
        if !answer.is_success() {
            return Err(self.refusal(&answer, "create a token"));
        }
        let made: Value = answer.json()?;
        for old in before.iter().filter(|token| token.name.starts_with(TOKEN)) {
            #[expect(
                clippy::let_underscore_must_use,
                reason = "a token that is left over is harmless: its key is stored nowhere"
            )]
            let _ = self.http.delete(&format!("{tokens}/{}", old.id)).await;
        }
        let key = made["key"].as_str().filter(|key| !key.is_empty());
        Ok(Secret::new(
            key.ok_or_else(|| Error::failed("grafana created a token but did not return its key"))?,
        ))
    }

    /// The service account, with exactly the permissions that it needs.
    async fn account(&self) -> Result<Account> {
        if let Some(account) = self.find_account().await? {
            if account.role != ROLE {
                let path = format!("/api/serviceaccounts/{}", account.id);
                let answer = self.http.patch(&path, &json!({"role": ROLE})).await?;
                if !answer.is_success() {
                    return Err(self.refusal(&answer, "set the role of the service account `monctl`"));
                }
            }
            return Ok(account);
        }
        let answer = self.http.post("/api/serviceaccounts", &json!({"name": ACCOUNT, "role": ROLE})).await?;
        if answer.is_success() {
            return answer.json();
        }
        // Another run may have created it first; a status of 400 or 409 can also have other reasons.
        let refusal = self.refusal(&answer, "create the service account `monctl`");
        self.find_account().await?.ok_or(refusal)
    }

    async fn find_account(&self) -> Result<Option<Account>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Found {
            service_accounts: Vec<Account>,
        }
        let Some(answer) = self.read(&format!("/api/serviceaccounts/search?query={ACCOUNT}")).await? else {
            return Ok(None);
        };
        let found: Found = answer.json()?;
        Ok(found.service_accounts.into_iter().find(|account| account.name == ACCOUNT))
    }

    /// Changes the password of the user who is logged in.
    ///
    /// # Errors
    /// When Grafana refuses it. Without an answer, the password may or may not have been changed.
    pub async fn change_password(&self, from: &Secret, to: &Secret) -> Result<()> {
        let (from, to) = (from.expose(), to.expose());
        let body = json!({"oldPassword": from, "newPassword": to, "confirmNew": to});
        let answer = self.http.put("/api/user/password", &body).await?;
        if answer.is_success() { Ok(()) } else { Err(self.refusal(&answer, "change the password")) }
    }
}
